"""Compares a file of triggers with an installation, and makes the installation equal to it.

The API has no route for imports: each trigger is created, or changed under the version that was
compared. Nobody's change in between is overwritten.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from moca_triggers.client import Client
from moca_triggers.files import FIELDS, PARTS, FileError, body
from moca_triggers.models import Trigger, TriggerCreate, TriggerUpdate

# Fields that a trigger always has: one that a file leaves out stays as it is.
ALWAYS = {
    name
    for name, kind in TriggerUpdate.__annotations__.items()
    if "None" not in getattr(kind, "__forward_arg__", str(kind))
}


@dataclass(frozen=True, slots=True)
class Change:
    """A trigger that is new, or differs from the file.

    Attributes:
        entry: the trigger in the file.
        before: the trigger in the installation; None for a new one.
        values: the body of the request: all fields of a new trigger, else those that change.
    """

    entry: dict[str, Any]
    before: Trigger | None
    values: dict[str, Any] = field(default_factory=dict)

    def carry_out(self, client: Client) -> Trigger:
        """Send the change.

        Raises:
            AnswerError: the server refuses it.
        """
        if self.before is None:
            return client.create(cast("TriggerCreate", self.values))
        return client.update(
            self.before["id"], cast("TriggerUpdate", self.values), version=self.before["version"]
        )

    def lines(self) -> Iterator[str]:
        """The change as lines of a diff, each with `-` or `+` before it."""
        before: dict[str, Any] = {} if self.before is None else body(self.before)
        after = _without_null(self.values)
        for name in FIELDS:
            if name in self.values:
                yield from _lines(name, before.get(name), after.get(name))


@dataclass(slots=True)
class Comparison:
    """What an import would do.

    Attributes:
        changes: the triggers to create and to change.
        unchanged: how many are equal.
    """

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0


def compare(
    client: Client,
    entries: Sequence[dict[str, Any]],
    *,
    disabled: bool = False,
    by_name: bool = False,
    is_takeover: bool = False,
) -> Comparison:
    """Compare the entries of a file with the triggers of the installation.

    Args:
        client: the installation.
        entries: the triggers of the file.
        disabled: whether to import all disabled.
        by_name: whether an entry with an unknown id, or without one, means the trigger of its name.
        is_takeover: whether entries of other users become triggers of the caller.

    Raises:
        FileError: two entries mean one trigger, or an entry is another user's.
    """
    user_id = client.user_id()
    stored = {each["id"]: each for each in client.triggers()}
    named = {each.get("id") for each in entries}
    # Those that no id of the file means, for entries without an id that is known.
    free = {own: each for own, each in stored.items() if own not in named}
    result, met = Comparison(), set[str]()
    for place, each in enumerate(entries, 1):
        owner = each.get("userId") or user_id
        if owner != user_id and not is_takeover:
            raise FileError(
                f"Trigger {place} {each['name']!r} belongs to {owner!r}, and you are {user_id!r}.",
                "Pass --take-over to import it as yours.",
            )
        wanted = body(each) | ({"enabled": False} if disabled else {})
        before = stored.get(each.get("id", "")) or _like(wanted, free, by_name=by_name)
        if before is None:
            result.changes.append(Change(each, None, wanted))
            continue
        if before["id"] in met:
            raise FileError(f"Trigger {place} {each['name']!r} stands twice in the file.")
        met.add(before["id"])
        free.pop(before["id"], None)
        if values := _differences(body(before), wanted):
            result.changes.append(Change(each, before, values))
        else:
            result.unchanged += 1
    return result


def _like(wanted: dict[str, Any], free: dict[str, Trigger], *, by_name: bool) -> Trigger | None:
    """The trigger that an entry without a known id means: an equal one, or the one of its name."""
    plain = {**wanted, "enabled": None}
    for each in free.values():
        if not _differences({**body(each), "enabled": None}, plain):
            # Whether it is enabled is no reason to create another one.
            return each
    same = [each for each in free.values() if each["name"] == wanted["name"]]
    if by_name and len(same) > 1:
        raise FileError(
            f"{len(same)} triggers have the name {wanted['name']!r}.",
            "Give the ids in the file, or rename all but one.",
        )
    return same[0] if by_name and same else None


def _differences(before: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The fields to send: new values, and null for what the file leaves out."""
    return {
        name: _with_cleared_parts(name, wanted.get(name))
        for name in FIELDS
        if not _equal(before.get(name), wanted.get(name))
        and not (name in ALWAYS and name not in wanted)
    }


def _with_cleared_parts(name: str, value: Any) -> Any:
    """A value; a map gets null for the parts that it leaves out, which would stay otherwise."""
    if name not in PARTS or not isinstance(value, dict):
        return value
    return {**dict.fromkeys(PARTS[name]), **value}


def _without_null(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {part: each for part, each in value.items() if each is not None}
        if name in PARTS and isinstance(value, dict)
        else value
        for name, value in values.items()
    }


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are equal in JSON, where 1 and true differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _lines(name: str, before: Any, after: Any) -> Iterator[str]:
    old, new = _text(before), _text(after)
    if len(old) < 2 and len(new) < 2:
        yield from (f"- {name}: {line}" for line in old)
        yield from (f"+ {name}: {line}" for line in new)
        return
    yield f"  {name}:"
    for line in difflib.ndiff(old, new):
        if not line.startswith("?"):
            yield f"{line[:2]}  {line[2:]}"


def _text(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines() or [""]
    return json.dumps(
        value, ensure_ascii=False, indent=2 if isinstance(value, dict) else None
    ).split("\n")
