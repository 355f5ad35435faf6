"""Builds the site of the documentation from README.md and docs/, by Sphinx: `make docs`.

The pages are read where they are, so that their links work on both the site and in the repository.
"""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# The order of the pages, by part.
PARTS = {
    "Start": ["tutorial", "pages", "schedules", "events", "alerts", "budgets"],
    "Programs": ["api", "client", "moving"],
    "Agents": [
        *("agent-protocol", "runs", "agents", "demo-agent", "protocols"),
        *("protocols/agentcore", "protocols/ag-ui", "protocols/a2a", "protocols/openai"),
    ],
    "Operate": [
        *("running", "settings", "sign-in", "dynamodb", "deploy", "eventbridge", "telemetry"),
    ],
}
PROJECT = ["CONTRIBUTING", "SECURITY", "CHANGELOG"]

project = "Moca Triggers"
version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/protocols/*.md"]
exclude_patterns = [".*", "*.egg-info", "build", "var", "moca_client", "tests", "node_modules"]

# Links to headings, as the repository's pages have them.
myst_heading_anchors = 4
# Highlighting a shell's placeholders or shortened JSON fails, and means nothing.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


def _with_contents(_app: Any, name: str, source: list[str]) -> None:
    """Add the table of contents, which the sidebar shows, to the first page."""
    if name != root_doc:
        return
    parts = {
        **{caption: [f"docs/{page}" for page in pages] for caption, pages in PARTS.items()},
        "Project": PROJECT,
    }
    for caption, pages in parts.items():
        lines = ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]
        source[0] += "\n".join(lines)


def setup(app: Any) -> None:
    """Register what Sphinx calls."""
    app.connect("source-read", _with_contents)
