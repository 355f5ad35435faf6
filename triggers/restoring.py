"""Undo of what schedulers were told within a transaction that failed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _State(threading.local):
    undo: list[Callable[[], None]] | None = None


_state = _State()


@contextmanager
def in_step() -> Iterator[None]:
    """Wrap a transaction: if it fails, what was noted within is undone, equal entries once."""
    if _state.undo is not None:
        yield
        return
    _state.undo = []
    try:
        yield
    except BaseException:
        entries, _state.undo = _state.undo, None
        for undo in dict.fromkeys(entries):
            undo()
        raise
    finally:
        _state.undo = None


def noted() -> list[Callable[[], None]] | None:
    """What is undone if the transaction under way fails; None outside of `in_step()`."""
    return _state.undo
