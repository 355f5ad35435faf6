"""Ids of rows: UUID version 7 (RFC 9562, 5.7), which sort by their time."""

import hashlib
import os
import time
import uuid
from datetime import UTC, datetime


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """Build a UUIDv7 in its lower-case text form.

    Args:
        milliseconds: Unix time in milliseconds, 48 bits.
        entropy: ten bytes; the six bits that hold version and variant are overwritten.
    """
    value = int.from_bytes(milliseconds.to_bytes(6) + entropy)
    value = value & ~(0xF000 << 64) | (0x7000 << 64)
    value = value & ~(0xC000 << 48) | (0x8000 << 48)
    return str(uuid.UUID(int=value))


def new_id() -> str:
    """A new random UUIDv7 of this moment; one that is made later sorts behind it.

    The twelve bits behind the milliseconds are their fraction (RFC 9562, 6.2, method 3), because
    more than one row is made in a millisecond.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    return uuid7(milliseconds, fraction.to_bytes(2) + os.urandom(8))


def first_id(moment: datetime) -> str:
    """The smallest UUIDv7 of a moment: ids made since then are not smaller.

    No UUIDv7 carries a time before 1970, so earlier moments have the id of its start.
    """
    return uuid7(max(0, round(moment.timestamp() * 1000)), bytes(10))


def made_at(identifier: str) -> datetime:
    """The time in a UUIDv7."""
    milliseconds = uuid.UUID(identifier).int >> 80
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def occurrence_id(trigger_id: str, at: datetime) -> str:
    """The id of a trigger's run at a due time, computed from both on every machine alike.

    A second delivery of the same occurrence gets the same id, and so finds the record of the
    first. A trigger's ids sort by their due times.

    Args:
        trigger_id: the trigger's id.
        at: when the run is due (aware).
    """
    milliseconds = round(at.timestamp() * 1000)
    digest = hashlib.sha256(f"{trigger_id} {milliseconds}".encode()).digest()
    return uuid7(milliseconds, digest[:10])


def event_run_id(trigger_id: str, event_id: str, at: datetime) -> str:
    """The id of the run of a trigger for an event, the same each time for the same arguments."""
    digest = hashlib.sha256(f"{trigger_id} {event_id}".encode()).digest()[:10]
    return uuid7(round(at.timestamp() * 1000), digest)
