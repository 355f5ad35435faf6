"""What there is to say of a sender of events, and the groups in which forms list senders."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import pgettext_lazy

from events.kinds import SourceKind
from events.schemes.base import Scheme
from events.schemes.token import TokenScheme

GENERAL, SENDERS, BUS = "general", "senders", "bus"
GROUPS = {
    SENDERS: pgettext_lazy("kinds of event sources", "Senders"),
    GENERAL: pgettext_lazy("kinds of event sources", "General"),
    BUS: pgettext_lazy("kinds of event sources", "Bus"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A kind of event source.

    Attributes:
        kind: its name in rows, files and settings.
        label: its name on pages.
        group: where forms list it: a key of GROUPS.
        scheme: how it signs; None if the source describes it, or if nobody sends.
        name: the `source` of its events; "" if it depends on the source or the event.
        type_from: the places of the event's type; the first that is there counts.
        type_default: the type of events that have none.
        id_from: the places of the event's id; without one, the body stands for the event.
        time_from: the place of the event's time; without one, it is when the event comes.
        resource_from: the place of what the event is about, for `resources`.
        is_repeated: whether different events may have the same body. If so, an event without an id
            is known by its signed time and body, or else by its body within the replay window.
        makes_secret: whether the sender generates the secret, which operators enter.
        secret_help: what to enter as the secret.
        marks: headers that this sender alone sends.
    """

    kind: str
    label: Any
    group: str = SENDERS
    scheme: Scheme | None = None
    name: str = ""
    type_from: tuple[str, ...] = ()
    type_default: str = "event"
    id_from: tuple[str, ...] = ()
    time_from: str = ""
    resource_from: str = ""
    is_repeated: bool = False
    makes_secret: bool = False
    secret_help: Any = ""
    marks: tuple[str, ...] = ()

    @property
    def has_address(self) -> bool:
        """Whether its sources receive events at an address of their own."""
        return self.kind != SourceKind.BUS

    @property
    def is_described(self) -> bool:
        """Whether the source says itself how its sender signs."""
        return self.kind in (SourceKind.HMAC, SourceKind.TOKEN)

    @property
    def has_unsigned_id(self) -> bool:
        """Whether the id is in a header that the signature does not cover.

        A token covers nothing. Whoever can send one may send any message, with any id.
        """
        if isinstance(self.scheme, TokenScheme) or not self.id_from:
            return False
        signed = getattr(self.scheme, "id", "")
        return any(
            place.startswith("header:") and place != f"header:{signed}" for place in self.id_from
        )

    @property
    def signs_time(self) -> bool:
        """Whether the signature covers a time."""
        return bool(getattr(self.scheme, "time", ""))

    @property
    def has_replay_window(self) -> bool:
        """Whether the same body is one event within the window, because no id is signed."""
        return self.has_unsigned_id or (self.is_repeated and not self.signs_time)
