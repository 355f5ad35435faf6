"""How far a long command is: a bar on a terminal, now and then a line elsewhere."""

import time
from typing import Self

from django.core.management.base import OutputWrapper

WIDTH = 30
BAR_SECONDS = 0.1
LINE_SECONDS = 10.0


class Progress:
    """Counts what is done, by `with Progress(...) as progress:`.

    Args:
        out: the command's output.
        total: how much there is to do, as far as it is known; it may turn out to be more.
        what: what is counted, in words.
    """

    def __init__(self, out: OutputWrapper, total: int, what: str) -> None:
        self.out, self.total, self.what = out, total, what
        self.done = 0
        self._is_terminal = out.isatty()
        self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def advance(self, count: int) -> None:
        """Count more as done."""
        self.done += count
        pause = BAR_SECONDS if self._is_terminal else LINE_SECONDS
        if time.monotonic() - self._shown_at >= pause:
            self._shown_at = time.monotonic()
            self._show()

    def say(self, text: str) -> None:
        """Print a line; the bar stays below it."""
        self._clear()
        self.out.write(text)

    def _show(self) -> None:
        share = min(self.done / self.total, 1.0) if self.total else 0.0
        text = f"{self.done:,} of {max(self.total, self.done):,} {self.what}"
        if self._is_terminal:
            bar = ("#" * round(share * WIDTH)).ljust(WIDTH, ".")
            self.out.write(f"\r\x1b[K[{bar}] {share:4.0%} {text}", ending="")
            self.out.flush()
        else:
            self.out.write(text)

    def _clear(self) -> None:
        if self._is_terminal:
            self.out.write("\r\x1b[K", ending="")
