"""Finds English words on a page in another language."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

# Words in Latin letters on Japanese pages: names, and keywords of schedules.
ALLOWED = {
    *("Moca", "Triggers", "English", "Cognito", "EventBridge", "Scheduler", "PassRole", "Cookie"),
    *("cron", "rate", "at", "curl", "manage", "py", "doctor"),
    *("Slack", "Teams", "Webhook", "Apprise"),
    *("Lines",),  # JSON Lines, a format.
    *("minutes", "hours", "days", "yyyy", "mm", "ddThh", "ss"),
    *("Asia", "Tokyo", "America", "New", "York"),
    # Event sources of the tests, and the name of the bus.
    *("Orders", "orders", "Uploads", "uploads", "default"),
}
# Schedules, URLs, JSON, ranges of days, values of fields and ids of prompts are the same in all
# languages.
CODE = re.compile(
    r"(?:cron|rate|at)\([^)]*\)|\{[^}]*\}|[\w-]+=[\w-]+|[\d-]{10} to [\d-]{10}|「agent」"
    r"|(?<![0-9a-zA-Z])(?=[a-f]*\d)[0-9a-f]{10}(?![0-9a-zA-Z])"
)
WORD = re.compile(r"[A-Za-z]*[a-z][A-Za-z]+")
# Elements whose text is input of users, or is not shown.
DATA = {"script", "style", "pre", "code", "textarea", "datalist", "del", "ins"}
SHOWN = {"aria-label", "title", "placeholder", "alt", "data-label"}
VOID = {"br", "hr", "img", "input", "link", "meta"}


def words_in(page: str) -> list[str]:
    """The English words that a page shows, or gives to screen readers."""
    reader = _Reader()
    reader.feed(page)
    return [word for text in reader.texts for word in _english(text)]


def _english(text: str) -> Iterator[str]:
    for word in WORD.findall(CODE.sub(" ", text)):
        if word not in ALLOWED:
            yield word


class _Reader(HTMLParser):
    """Collects the readable texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in SHOWN and value]
        if tag == "input" and dict(attrs).get("type") == "submit":
            self.texts.append(dict(attrs).get("value") or "")
        if tag not in VOID and (tag in DATA or self.hidden):
            self.hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.hidden and self.hidden[-1] == tag:
            self.hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.texts.append(data)
