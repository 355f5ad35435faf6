"""Who may import whom, read from the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FORBIDDEN = {
    "moca": {"agents", "events", "triggers", "executions", "console"},
    "events": {"agents", "triggers", "executions", "console"},
    "events/patterns": {"django", "boto3", "botocore", "moca", "rest_framework"},
    "triggers": {"agents", "executions", "console"},
    "triggers/schedules": {"django", "boto3", "botocore", "moca", "rest_framework"},
    "agents": {"events", "triggers", "executions", "console", "rest_framework"},
    "executions": {"console"},
    "executions/runner": {"rest_framework", "boto3", "botocore"},
}
# Pure Python, which all may import.
PURE = {"moca.sentences"}
# Wiring, which knows the whole application.
EXEMPT = {"moca/urls.py", "moca/settings.py"}
# The only places that speak HTTP to the outside.
SPEAKS_HTTP = {"agents", "moca/authentication"}
# The only places that call AWS.
CALLS_AWS = {
    "moca/aws",
    "moca/dynamodb",
    "events/buses/eventbridge.py",
    "triggers/schedulers/eventbridge.py",
    "agents/profiles.py",
    "executions/diagnosis.py",
    "executions/dispatchers/aws_lambda.py",
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module in PURE:
                continue
            names.add(node.module.partition(".")[0])
    return names


def modules(folder: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name not in EXEMPT:
            yield name, path


@pytest.mark.parametrize("module", PURE)
def test_what_all_may_import_imports_nothing_of_ours(module: str) -> None:
    assert imports(ROOT / f"{module.replace('.', '/')}.py") <= {"typing"}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_layers_import_downwards_only(folder: str) -> None:
    found = {name: imports(path) & FORBIDDEN[folder] for name, path in modules(folder)}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("packages", "places"),
    [({"httpx", "httpcore", "requests"}, SPEAKS_HTTP), ({"boto3", "botocore"}, CALLS_AWS)],
)
def test_calls_leave_from_few_places(packages: set[str], places: set[str]) -> None:
    callers = {
        name
        for folder in ("moca", "agents", "events", "triggers", "executions", "console")
        for name, path in modules(folder)
        if imports(path) & packages
    }
    assert {name for name in callers if not name.startswith(tuple(places))} == set()
