"""Sentences in English that can be said in other languages too.

A `Sentence` remembers its template and parts while the process lives. A `Reason` is one that is
stored: a row keeps its code and parameters beside the English text, and whoever shows the row makes
the sentence from them in the reader's language. `moca.reasons` has the fields of such rows.
"""

from typing import Any, Protocol, Self

Part = str | int
# A reason within a reason within a reason is the deepest that is read.
DEEPEST = 4
# The key under which parameters keep what was added to a reason.
MORE = "more"


class OfText(Protocol):
    """Makes a text of a text, such as its translation."""

    def __call__(self, text: str, /) -> str: ...


class Sentence(str):
    """A text in English which remembers its template and what was put into that.

    It is the English text wherever it goes. Who speaks another language translates the template
    and the parts that are sentences themselves. Import it as `_`, by which makemessages finds the
    templates.
    """

    template: str
    parts: dict[str, Part]

    def __new__(cls, template: str, **parts: Part) -> Self:
        made = super().__new__(cls, template % parts)
        made.template, made.parts = template, parts
        return made


def mark(template: str) -> str:
    """Mark the template of a code for translation.

    Import it as `_`, which makemessages looks for.
    """
    return template


class Code:
    """A kind of reason: the name under which it is stored, and its sentence in English.

    Call it with the parameters of the sentence to make a `Reason`. A template with `%(reason)s`
    adds to another reason; see `Reason.adding()`.
    """

    def __init__(self, name: str, template: str) -> None:
        self.name, self.template = name, template
        if CODES.setdefault(name, self).template != template:
            raise ValueError(f"There are two codes {name}: rename one.")

    def __repr__(self) -> str:
        return f"<Code {self.name}>"

    def __call__(self, **parts: Part) -> "Reason":
        return Reason(self, parts)


# All codes by their names, each declared by the module that uses it.
CODES: dict[str, Code] = {}


class Reason(Sentence):
    """Why something happened: a code, its parameters, and the sentence in English.

    Attributes:
        code: the kind of the reason.
        parts: the parameters of its sentence, which may be reasons themselves.
        more: what was added to it, each a code and its parameters.
    """

    code: Code
    more: tuple[tuple[Code, dict[str, Part]], ...]

    def __new__(
        cls,
        code: Code,
        parts: dict[str, Part],
        more: tuple[tuple[Code, dict[str, Part]], ...] = (),
        text: str | None = None,
    ) -> Self:
        """Make a reason; `text` is the English sentence if that is not made from the rest."""
        if text is None:
            text = code.template % parts
            for added, own in more:
                text = added.template % {**own, "reason": text}
        made = str.__new__(cls, text)
        made.code, made.template, made.parts, made.more = code, code.template, parts, more
        return made

    def adding(self, code: Code, **parts: Part) -> "Reason":
        """The reason and something more about it. The code of the whole stays the same."""
        return Reason(self.code, self.parts, (*self.more, (code, parts)))

    def says(self, code: Code) -> bool:
        """Whether this is its code, or one that was added."""
        return code in (self.code, *(added for added, _ in self.more))

    def with_texts(self, change: OfText) -> "Reason":
        """The same reason with each of its texts changed, such as cut or masked."""
        more = tuple((code, _changed(parts, change)) for code, parts in self.more)
        return Reason(self.code, _changed(self.parts, change), more)

    @property
    def params(self) -> dict[str, Any]:
        """What is stored beside the code, in JSON's own types."""
        more = [{"code": code.name, "params": _stored(parts)} for code, parts in self.more]
        return _stored(self.parts) | ({MORE: more} if more else {})


def said(text: str, translate: OfText) -> str:
    """A sentence in another language; any other text as it is.

    Args:
        text: the text.
        translate: translates a template.
    """
    if not isinstance(text, Sentence):
        return text
    found = translate(text.template) % _said_parts(text.parts, translate)
    for code, parts in text.more if isinstance(text, Reason) else ():
        found = translate(code.template) % {**_said_parts(parts, translate), "reason": found}
    return found


def restored(name: str, params: Any, text: str | None = None) -> Reason | None:
    """A reason from what is stored of it.

    Args:
        name: the name of its code.
        params: its parameters.
        text: the English sentence, if that is stored too.

    Returns:
        None if nothing here makes such a reason: a newer edition wrote it, or another program.
    """
    try:
        return _restored(name, params, text, DEEPEST)
    except (KeyError, TypeError, ValueError):
        return None


def _changed(parts: dict[str, Part], change: OfText) -> dict[str, Part]:
    changed: dict[str, Part] = {}
    for name, part in parts.items():
        if isinstance(part, Reason):
            changed[name] = part.with_texts(change)
        else:
            changed[name] = change(part) if isinstance(part, str) else part
    return changed


def _stored(parts: dict[str, Part]) -> dict[str, Any]:
    return {
        name: {"code": part.code.name, "params": part.params} if isinstance(part, Reason) else part
        for name, part in parts.items()
    }


def _said_parts(parts: dict[str, Part], translate: OfText) -> dict[str, Part]:
    return {
        name: said(part, translate) if isinstance(part, str) else part
        for name, part in parts.items()
    }


def _restored(name: str, params: Any, text: str | None, depth: int) -> Reason:
    params = dict(params or {})
    added = params.pop(MORE, [])
    more = tuple((CODES[one["code"]], _parts(one["params"], depth)) for one in added)
    return Reason(CODES[name], _parts(params, depth), more, text)


def _parts(params: dict[str, Any], depth: int) -> dict[str, Part]:
    return {name: _part(value, depth - 1) for name, value in params.items()}


def _part(value: Any, depth: int) -> Part:
    if isinstance(value, str | int):
        return value
    if not depth:
        raise ValueError("The reasons are too deep in each other.")
    return _restored(value["code"], value["params"], None, depth)
