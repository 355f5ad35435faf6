"""The parts of a guide for one sender."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Paste:
    """A text to paste.

    Attributes:
        title: where it belongs.
        text: the text itself, which is not translated.
    """

    title: Any
    text: str


@dataclass(frozen=True, slots=True)
class Guide:
    """What to do at a sender.

    Attributes:
        steps: sentences, in their order.
        pastes: texts to paste.
    """

    steps: Sequence[Any] = ()
    pastes: Sequence[Paste] = ()
