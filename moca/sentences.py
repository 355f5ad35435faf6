"""Sentences in English that can be said in other languages too."""

from typing import Self


class Sentence(str):
    """A text in English which remembers its template and what was put into that.

    It is the English text wherever it goes. Who speaks another language translates the template
    and the parts that are sentences themselves. Import it as `_`, by which makemessages finds the
    templates.
    """

    template: str
    parts: dict[str, str | int]

    def __new__(cls, template: str, **parts: str | int) -> Self:
        made = super().__new__(cls, template % parts)
        made.template, made.parts = template, parts
        return made
