"""System checks of layouts, which report a wrong key template at start instead of at a write."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from moca.dynamodb import codec
from moca.dynamodb.layout import Table, all_tables

HINT = "Correct the layout beside the model's fields; moca/dynamodb/layout.py has the rules."


def check_layouts(**_: Any) -> list[CheckMessage]:
    """Check the layouts of all models, also if another database is in use."""
    tables = [table for table in all_tables() if table.is_strict]
    errors = [error for table in tables for error in _errors(table)]
    return [*errors, *_mixed_up(tables)]


def _errors(table: Table) -> Iterator[CheckMessage]:
    layout = table.layout
    named = {*layout.partition.names, *layout.sort.names, *layout.attributes, *layout.absent}
    named |= {name for index in layout.indexes for name in index.names}
    for name in sorted(named - table.fields.keys()):
        yield _error(table, f"its layout names {name}, which is no field of it", "E101")
    if named <= table.fields.keys():
        yield from _errors_of_keys(table)


def _errors_of_keys(table: Table) -> Iterator[CheckMessage]:
    if table.pk not in table.key_names:
        yield _error(table, "its key does not hold the primary key, so rows would collide", "E102")
    nullable = sorted(name for name in table.key_names if table.fields[name].null)
    if nullable:
        yield _error(table, f"its key needs {', '.join(nullable)}, which may be null", "E103")
    names = list(table.attributes.values())
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        yield _error(table, f"two fields are stored as {', '.join(doubled)}", "E104")


def _mixed_up(tables: list[Table]) -> Iterator[CheckMessage]:
    """Errors for fields that are stored as a key of an index, but are no text."""
    keys = {key: index for table in tables for index in table.layout.indexes for key in index.keys}
    for table in tables:
        for name, attribute in table.attributes.items():
            if attribute in keys and not codec.is_text(table.fields[name]):
                yield _error(
                    table,
                    f"{name} is stored as {attribute}, a key of the index {keys[attribute].name}, "
                    "and is no text",
                    "E105",
                )


def _error(table: Table, message: str, number: str) -> CheckMessage:
    return Error(f"{table.name}: {message}.", hint=HINT, id=f"moca.{number}")
