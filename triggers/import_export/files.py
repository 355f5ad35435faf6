"""Writes and parses files of triggers and event sources, in YAML or JSON.

Of YAML, only values that JSON has are accepted: texts, numbers, true, false, null, lists and maps.
A time is read as a text. Aliases, tags and duplicate keys are refused.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from moca.api.storable import MAX_DEPTH

MAX_FILE_BYTES = 64 * 1024 * 1024
SOURCES, TRIGGERS = "eventSources", "triggers"
WHAT = {SOURCES: "event source", TRIGGERS: "trigger"}

# The sections of a file, each a name and its entries, in the order of the file.
Sections = Sequence[tuple[str, Iterable[dict[str, Any]]]]

_TAG = "tag:yaml.org,2002:"
_END = "\n...\n"
# Texts that a YAML block preserves: printable, with \n as the only line end. A tab at the beginning
# would hide the indentation of the block from readers.
_BLOCK = re.compile(
    r"(?!\t)"
    "[\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd]*"
)
# Other line ends, which readers turn into \n unless they are escaped.
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class FileError(Exception):
    """The file is invalid.

    Args:
        message: the reason, in a sentence.
        line: the line, from 1; None if it is not known.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A trigger or an event source in a file.

    Attributes:
        what: `trigger` or `event source`.
        place: the position in its list, from 1.
        value: the map of its fields.
        node: the node of YAML, which knows its lines; None in JSON.
    """

    what: str
    place: int
    value: Any
    node: yaml.Node | None = None

    def line(self, name: str = "") -> int | None:
        """The line of a field, such as `scheduleConfig.expression`, or of the entry itself."""
        node = self.node
        for part in name.split("."):
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            node = next((value for key, value in pairs if key.value == part), node)
        return None if node is None else node.start_mark.line + 1


@dataclass(frozen=True, slots=True)
class Contents:
    """The entries of a file."""

    sources: list[FileEntry] = field(default_factory=list)
    triggers: list[FileEntry] = field(default_factory=list)


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
    return dumper.represent_scalar(f"{_TAG}str", str(text), style=style)


_Dumper.add_representer(str, _represent_text)
# For choices, which are subclasses of str.
_Dumper.add_multi_representer(str, _represent_text)


def yaml_text(value: Any) -> str:
    """A list or map as YAML, with its keys in their order."""
    text = str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000_000)
    )
    # PyYAML ends the document after a block that ends in empty lines. Here, more may follow.
    return text[: -len(_END) + 1] if text.endswith(_END) else text


def as_yaml(sections: Sections) -> Iterator[str]:
    """The text of a YAML file, in pieces."""
    for name, items in sections:
        begin = f"{name}:\n"
        for item in items:
            yield begin + yaml_text([item])
            begin = ""
        if begin:
            yield f"{name}: []\n"


def as_json(sections: Sections) -> Iterator[str]:
    """The text of a JSON file, in pieces."""
    between = "{"
    for name, items in sections:
        yield f'{between}\n  "{name}": ['
        comma = ""
        for item in items:
            text = json.dumps(item, ensure_ascii=False, indent=2)
            yield f"{comma}\n    " + text.replace("\n", "\n    ")
            comma = ","
        yield "\n  ]" if comma else "]"
        between = ","
    yield "\n}\n"


FORMATS = {"yaml": as_yaml, "json": as_json}

# Reading


def read(data: bytes) -> Contents:
    """Parse a file: lists of triggers and event sources, a list of triggers, or one trigger.

    Args:
        data: the content of the file, in UTF-8.

    Raises:
        FileError: the content is invalid, or something else.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FileError(
            f"The file has more than {MAX_FILE_BYTES // 1024**2} MB: divide it, as export_triggers "
            "--user does."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError("The file is not UTF-8.", data.count(b"\n", 0, error.start) + 1) from error
    try:
        value, node = _value(text)
    except RecursionError as error:
        raise FileError(f"The file is nested deeper than {MAX_DEPTH} levels.") from error
    return _contents(value, node)


def _value(text: str) -> tuple[Any, yaml.Node | None]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            # JSON is parsed as such, since YAML reads some of it differently.
            return json.loads(
                text, object_pairs_hook=_unique_keys, parse_constant=_refuse_name
            ), None
        except json.JSONDecodeError:
            pass
        except ValueError as error:
            raise FileError("The file holds too long a number.") from error
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context
        raise FileError(f"This is no YAML: {problem}.", mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError) as error:
        raise FileError(f"This is no YAML: {error}.") from error
    return (None, None) if node is None else (_Constructor().value(node), node)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The map of these pairs; FileError if a key is duplicate."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FileError(f"The key {twice!r} stands twice in one map.")
    return found


def _refuse_name(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads although JSON has no such numbers."""
    raise FileError(f"{name} is no JSON.")


class _Constructor:
    """Builds the values of YAML nodes, if JSON has such values."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node) -> Any:
        # A node that is met again is an alias. A few aliases can expand to any number of values.
        if id(node) in self.seen:
            _fail_at(node, "An alias refers to this: write the value out in each place")
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._map(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(each) for each in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag.startswith(_TAG):
            return self._scalar(node, node.tag.removeprefix(_TAG))
        return _fail_at(node, f"The tag {node.tag} is not read")

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
            _fail_at(node, f"The tag {node.tag} is not read")
        try:
            return getattr(self.scalars, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError):
            _fail_at(node, f"This cannot be read as {kind}: put it in quotes if it is a text")


def _fail_at(node: yaml.Node, message: str) -> NoReturn:
    raise FileError(f"{message}.", node.start_mark.line + 1)


def _contents(value: Any, node: yaml.Node | None) -> Contents:
    if isinstance(value, list):
        return Contents(triggers=_entries(TRIGGERS, value, node))
    if not isinstance(value, dict) or not value:
        raise FileError(f"There is nothing to import: give {TRIGGERS} and {SOURCES}.")
    if not value.keys() & {TRIGGERS, SOURCES}:
        return Contents(triggers=[FileEntry(WHAT[TRIGGERS], 1, value, node)])
    if unknown := value.keys() - {TRIGGERS, SOURCES}:
        line = FileEntry("", 1, value, node).line(min(unknown))
        raise FileError(f"{min(unknown)} is unknown here: give {TRIGGERS} and {SOURCES}.", line)
    nodes = {key.value: each for key, each in node.value} if node else {}
    return Contents(
        *(_entries(name, value.get(name), nodes.get(name)) for name in (SOURCES, TRIGGERS))
    )


def _entries(name: str, values: Any, node: yaml.Node | None) -> list[FileEntry]:
    if values is None:
        return []
    if not isinstance(values, list):
        raise FileError(f"{name} is no list.", node.start_mark.line + 1 if node else None)
    nodes = node.value if node else [None] * len(values)
    found = []
    for place, (value, each) in enumerate(zip(values, nodes, strict=True), 1):
        entry = FileEntry(WHAT[name], place, value, each)
        if not isinstance(value, dict):
            raise FileError(f"Number {place} of {name} is no map.", entry.line())
        found.append(entry)
    return found
