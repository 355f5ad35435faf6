"""The documentation as a site: it builds, its links lead somewhere, and all of it is searched."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/protocols/*.md")]


class Page(HTMLParser):
    """The addresses that a page names, and its own anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += filter(None, [found.get("href"), found.get("src")])
        self.anchors |= set(filter(None, [found.get("id"), found.get("name")]))


def build(source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", str(ROOT / "docs" / "site")]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-d", f"{folder}-cache", source, folder],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The sources of the site, to change them."""
    for page in PAGES:
        target = tmp_path / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, target)
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "docs" / "images")
    shutil.copy(ROOT / "LICENSE", tmp_path)
    return tmp_path


def broken(site: Path) -> Iterator[str]:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            is_known = target not in pages or unquote(parts.fragment) in pages[target].anchors
            if not (target.exists() and is_known):
                yield f"{path.relative_to(site)}: {address}"


def test_each_link_leads_somewhere(site: Path) -> None:
    assert list(broken(site)) == []


def test_each_page_is_in_the_contents(site: Path) -> None:
    listed = {urlsplit(each).path for each in Page(site / "README.html").addresses}
    pages = {page.relative_to(ROOT).with_suffix(".html").as_posix() for page in PAGES}
    assert pages - listed - {"README.html"} == set()


def test_each_page_is_searched(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    assert [
        page.name
        for page in PAGES
        if page.relative_to(ROOT).with_suffix("").as_posix() not in index
    ] == []


@pytest.mark.parametrize(
    ("link", "named"), [("schedules.md#no-heading", "no-heading"), ("no-page.md", "no-page.md")]
)
def test_a_broken_link_fails(copied: Path, tmp_path: Path, link: str, named: str) -> None:
    with (copied / "docs" / "api.md").open("a") as page:
        page.write(f"\n[A link]({link})\n")
    done = build(copied, tmp_path / "site")
    assert (done.returncode, named in done.stderr) == (1, True)
