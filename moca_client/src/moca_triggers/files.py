"""Triggers as YAML or JSON, in the format of the server's `export_triggers` and `import_triggers`.

Of YAML, only values that JSON has are accepted. A time is read as a text. Aliases, tags and
duplicate keys are refused.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import yaml

from moca_triggers import models
from moca_triggers.errors import MocaTriggersError
from moca_triggers.models import Trigger, TriggerUpdate

MAX_FILE_BYTES = 64 * 1024 * 1024
TRIGGERS, SOURCES = "triggers", "eventSources"
# What people set, in the order of a file. The models are made from the API's description.
FIELDS = list(TriggerUpdate.__annotations__)
# The fields that are maps, each with the parts that people set.
PARTS = {
    name: list(getattr(models, found[0]).__annotations__)
    for name, kind in TriggerUpdate.__annotations__.items()
    if (found := re.findall(r"\b\w+Input\b", getattr(kind, "__forward_arg__", str(kind))))
}
# What a file names besides.
KNOWN = ["id", "userId", "createdAt"]

_TAG = "tag:yaml.org,2002:"
_END = "\n...\n"
# Texts that a YAML block preserves: printable, with \n as the only line end.
_BLOCK = re.compile(
    r"(?!\t)"
    "[\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd]*"
)
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class FileError(MocaTriggersError):
    """The file is invalid. Nothing was changed."""


def entry(trigger: Trigger) -> dict[str, Any]:
    """A trigger as it stands in a file."""
    return {name: trigger[name] for name in KNOWN} | body(trigger)  # type: ignore[literal-required]


def body(trigger: Trigger | dict[str, Any]) -> dict[str, Any]:
    """What people set of a trigger, in the order of a file, without what is empty."""
    return _without_empty({name: _parts(name, trigger.get(name)) for name in FIELDS})


def as_yaml(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The text of a YAML file, in pieces."""
    begin = f"{TRIGGERS}:\n"
    for each in entries:
        yield begin + _yaml([each])
        begin = ""
    if begin:
        yield f"{TRIGGERS}: []\n"


def as_json(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The text of a JSON file."""
    yield json.dumps({TRIGGERS: list(entries)}, ensure_ascii=False, indent=2) + "\n"


FORMATS = {"yaml": as_yaml, "json": as_json}


def read(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The triggers of a file, and how many event sources it has, which the API cannot import.

    Raises:
        FileError: it is no such file.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FileError(f"The file has more than {MAX_FILE_BYTES // 1024**2} MB: divide it.")
    try:
        text = data.decode("utf-8-sig")
        value = _value(text)
    except UnicodeDecodeError as error:
        raise FileError("The file is not UTF-8: save it as UTF-8.") from error
    except RecursionError as error:
        raise FileError("The file is nested too deep.") from error
    if isinstance(value, dict) and value.keys() & {TRIGGERS, SOURCES}:
        if unknown := value.keys() - {TRIGGERS, SOURCES}:
            raise FileError(f"{min(unknown)} is unknown here: give {TRIGGERS}.")
        sources = len(value.get(SOURCES) or [])
        value = value.get(TRIGGERS) or []
    else:
        sources = 0
        value = [value] if isinstance(value, dict) and value else value
    if not isinstance(value, list) or not (value or sources):
        raise FileError(f"There is nothing to import: give {TRIGGERS}.")
    for place, each in enumerate(value, 1):
        _check(place, each)
    return value, sources


def _check(place: int, value: Any) -> None:
    """Refuse an entry that is no trigger, or has unknown fields."""
    if not isinstance(value, dict):
        raise FileError(f"Trigger {place} is no map of fields.")
    named = f"Trigger {place} {value.get('name', '')!r}"
    # What the API answers besides is read-only, and passed over.
    known = {*KNOWN, *Trigger.__annotations__, *FIELDS}
    if unknown := value.keys() - known:
        raise FileError(f"{named}: {min(unknown)} is no field of a trigger: leave it out.")
    if missing := [name for name in ("name", "type", "agentId", "prompt") if not value.get(name)]:
        raise FileError(f"{named}: {missing[0]} is missing: give it.")
    for name in PARTS:
        if not isinstance(value.get(name) or {}, dict):
            raise FileError(f"{named}: {name} is no map of fields.")
    for name in KNOWN:
        if not isinstance(value.get(name) or "", str):
            raise FileError(f"{named}: {name} is no text: put it in quotes.")


# Writing


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and does not wrap lines."""

    def analyze_scalar(self, scalar: str) -> Any:
        analysis = super().analyze_scalar(scalar)
        if analysis.multiline and _BLOCK.fullmatch(scalar):
            # PyYAML allows no block with tabs or with spaces at line ends, but prompts have them.
            analysis.allow_block = True
        return analysis

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if _ODD_BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml(value: Any) -> str:
    text = str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000_000)
    )
    return text[: -len(_END) + 1] if text.endswith(_END) else text


def _parts(name: str, value: Any) -> Any:
    """A value; of a map, only the parts that people set."""
    if name not in PARTS or not isinstance(value, dict):
        return _in_order(value)
    return _without_empty({part: _in_order(value.get(part)) for part in PARTS[name]})


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not empty; an empty list of tools stays, since it means no tools."""
    return {
        name: value
        for name, value in values.items()
        if value not in (None, "", [], {}) or (name == "enabledTools" and value == [])
    }


def _in_order(value: Any) -> Any:
    """A value with sorted keys."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


# Reading


def _value(text: str) -> Any:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text, object_pairs_hook=_unique_keys)
        except ValueError:
            # Some YAML begins like JSON.
            pass
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise FileError(f"The file is no YAML: {' '.join(str(error).split())}.") from error
    return None if node is None else _Constructor().value(node)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FileError("A key stands twice in one map of the file: keep one of the two.")
    return found


class _Constructor:
    """Builds the values of YAML nodes, if JSON has such values."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node) -> Any:
        if id(node) in self.seen:
            _fail_at(node, "An alias refers to this: write the value out in each place")
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._map(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(each) for each in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag.startswith(_TAG):
            return self._scalar(node, node.tag.removeprefix(_TAG))
        return _fail_at(node, f"The tag {node.tag} is not read: leave it out")

    def _map(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag != f"{_TAG}str":
                _fail_at(key, "This key is no text: put it in quotes")
            if key.value in found:
                _fail_at(key, f"The key {key.value!r} stands twice in one map")
            found[key.value] = self.value(value)
        return found

    def _scalar(self, node: yaml.ScalarNode, kind: str) -> Any:
        if kind in ("str", "timestamp"):
            return node.value
        if kind == "null":
            return None
        if kind not in ("bool", "int", "float"):
            _fail_at(node, f"The tag {node.tag} is not read: leave it out")
        try:
            return getattr(self.scalars, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError):
            _fail_at(node, f"This cannot be read as {kind}: put it in quotes if it is a text")


def _fail_at(node: yaml.Node, message: str) -> NoReturn:
    raise FileError(f"Line {node.start_mark.line + 1}: {message}.")
