"""The JSON values that all databases can store, for the API, the pages and the runner."""

from collections.abc import Iterator
from typing import Any

from moca.api.errors import Detail, detail

# Levels of nesting: far below Python's recursion limit, and more than any event pattern needs.
MAX_DEPTH = 32
# DynamoDB numbers have 38 digits.
MAX_NUMBER = 10**38


def faults(value: Any, field: str = "", depth: int = MAX_DEPTH) -> Iterator[Detail]:
    """Find the parts of a JSON value that some database cannot store.

    Args:
        value: the parsed JSON.
        field: its place in the body, such as `eventConfig.eventPattern`; empty at the top.
        depth: how many levels of nesting are allowed.
    """
    if isinstance(value, str):
        if fault := _text_fault(value):
            yield detail(field, fault)
    elif isinstance(value, int | float):
        if not -MAX_NUMBER < value < MAX_NUMBER:
            yield detail(field, "The number is too large.")
    elif isinstance(value, dict | list):
        if not depth:
            yield detail(field, f"The value is nested deeper than {MAX_DEPTH} levels.")
            return
        yield from _faults_within(value, field, depth - 1)


def _faults_within(value: Any, field: str, depth: int) -> Iterator[Detail]:
    if isinstance(value, list):
        for item in value:
            yield from faults(item, field, depth)
        return
    for name, item in value.items():
        if _text_fault(name):
            yield detail(field, "The name of a key holds a character that cannot be stored.")
        else:
            yield from faults(item, f"{field}.{name}" if field else name, depth)


def _text_fault(text: str) -> str:
    if "\0" in text:
        return "The text holds a NUL character: remove it."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "The text holds half of a character (a lone surrogate): remove it."
    return ""
