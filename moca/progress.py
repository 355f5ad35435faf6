"""Progress of long commands: a bar on a terminal, a line every ten seconds elsewhere."""

import time
from typing import Self

from django.core.management.base import OutputWrapper

WIDTH = 30
BAR_SECONDS = 0.1
LINE_SECONDS = 10.0


class Progress:
    """Shows progress inside `with Progress(...) as progress:`.

    Args:
        out: the command's output.
        total: the expected number of things; there may be more.
        what: the things' name in the plural, such as `rows`.
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
        """Count `count` more things as done."""
        self.done += count
        pause = BAR_SECONDS if self._is_terminal else LINE_SECONDS
        if time.monotonic() - self._shown_at >= pause:
            self._shown_at = time.monotonic()
            self._show()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
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
