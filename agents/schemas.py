"""Makes the JSON schema of an answer fit for records and pages: an agent may send anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

# Levels of nesting: what forms and DynamoDB take, far below Python's recursion limit.
MAX_DEPTH = 32
# Numbers of DynamoDB have 38 digits.
_LARGEST = 10**38


def kept_schema(
    schema: dict[str, Any], clean: Callable[[str], str], most_bytes: int
) -> dict[str, Any] | None:
    """Return a schema with clean texts and names, or None if it cannot be kept.

    Args:
        schema: what the agent sent.
        clean: masks a text, and leaves out what cannot be stored.
        most_bytes: the most bytes that the schema may have as JSON.
    """
    try:
        # Before the texts are cleaned, because the schema may have megabytes.
        if len(json.dumps(schema, ensure_ascii=False)) > most_bytes:
            return None
        kept: dict[str, Any] = _kept(schema, clean, MAX_DEPTH)
    except (ValueError, RecursionError):
        return None
    is_short = len(json.dumps(kept, ensure_ascii=False).encode()) <= most_bytes
    return kept if is_short else None


def _kept(value: Any, clean: Callable[[str], str], depth: int) -> Any:
    """Return a part of a schema. Raises ValueError if no database keeps it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("The number is infinite, or none.")
    if isinstance(value, int | float) and not -_LARGEST < value < _LARGEST:
        raise ValueError("The number is too large.")
    if isinstance(value, dict | list) and not depth:
        raise ValueError("The schema is nested too deeply.")
    if isinstance(value, dict):
        return {clean(name): _kept(each, clean, depth - 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_kept(each, clean, depth - 1) for each in value]
    return value
