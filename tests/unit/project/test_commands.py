"""The `--help` of each management command."""

import argparse
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class

OURS = sorted(
    name
    for name, app in get_commands().items()
    if app in {each.name for each in apps.get_app_configs()}
    and Path(apps.get_app_config(app.rpartition(".")[2]).path).is_relative_to(settings.BASE_DIR)
    and ".venv" not in apps.get_app_config(app.rpartition(".")[2]).path
)


def parser_of(name: str) -> argparse.ArgumentParser:
    command: Any = load_command_class(get_commands()[name], name)
    parser: argparse.ArgumentParser = command.create_parser("manage.py", name)
    return parser


def test_commands_are_found() -> None:
    assert {"run", "import_triggers", "issue_token", "doctor"} <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_each_argument_says_what_it_is_for(name: str) -> None:
    parser = parser_of(name)
    silent = [action.dest for action in parser._actions if not action.help]
    assert (silent, bool(parser.description)) == ([], True)


@pytest.mark.parametrize("name", OURS)
def test_help_can_be_printed(name: str) -> None:
    assert "--help" in parser_of(name).format_help()
