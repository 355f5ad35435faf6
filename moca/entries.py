"""Reads lists of entries that the settings hold: as YAML or JSON text, or in a file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def read_entries(prefix: str, what: str) -> tuple[str, list[Any]]:
    """Read the list in the setting PREFIX_CONFIG, or in the file that PREFIX_FILE names.

    Args:
        prefix: the beginning of both settings' names, such as EVENT_SOURCES.
        what: the entries in the plural, for the errors' messages.

    Returns:
        The name of the setting that was read, and the entries; none if neither is set.

    Raises:
        ImproperlyConfigured: the list cannot be read. The message says where and why.
    """
    name, text = _text(prefix)
    if not text.strip():
        return name, []
    import yaml  # 27 ms of the handler, and most installations have no such list

    try:
        entries = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The original error quotes the line, which may have a secret in it.
        reason = _reason(error)
        raise ImproperlyConfigured(f"{name} is neither JSON nor YAML: {reason}.") from None
    if not isinstance(entries, list):
        raise ImproperlyConfigured(f"{name} is no list: give a list of {what}.")
    return name, entries


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or "it cannot be read"
    return f"{reason}, line {mark.line + 1}, column {mark.column + 1}" if mark else reason


def _text(prefix: str) -> tuple[str, str]:
    name = f"{prefix}_FILE"
    path = getattr(settings, name)
    if not path:
        return f"{prefix}_CONFIG", getattr(settings, f"{prefix}_CONFIG")
    try:
        return name, Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ImproperlyConfigured(f"{name}, {path}, cannot be read: {reason}.") from error
