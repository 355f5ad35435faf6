"""English sentences that stay translatable: texts with a template, and stored reasons with a code.

A `Sentence` keeps its template and parts while the process lives. A `Reason` can be stored: a row
keeps its code and parameters beside the English text, and pages build the sentence from them in the
reader's language. `moca.reasons` has the fields of such rows.
"""

from collections.abc import Callable
from typing import Any, Self

Part = str | int
# A function from text to text, such as gettext.
OfText = Callable[[str], str]
# The most levels of reasons within reasons that are read.
DEEPEST = 4
# The key in stored parameters for what was added to a reason.
MORE = "more"


class Sentence(str):
    """An English text that keeps its template and parts.

    It is an ordinary English string. To translate it, `said()` translates the template and the
    parts that are sentences themselves. Import it as `_`, so that makemessages finds the templates.
    """

    template: str
    parts: dict[str, Part]

    def __new__(cls, template: str, **parts: Part) -> Self:
        made = super().__new__(cls, template % parts)
        made.template, made.parts = template, parts
        return made


def mark(template: str) -> str:
    """Mark a code's template for translation. Import it as `_`, so that makemessages finds it."""
    return template


class Code:
    """A kind of reason: the name that rows store, and the template of its English sentence.

    Call it with the template's parameters to make a `Reason`. A template with `%(reason)s` adds to
    another reason; see `Reason.adding()`.

    Raises:
        ValueError: another code has the same name.
    """

    def __init__(self, name: str, template: str) -> None:
        self.name, self.template = name, template
        if CODES.setdefault(name, self).template != template:
            raise ValueError(f"There are two codes {name}: rename one.")

    def __repr__(self) -> str:
        return f"<Code {self.name}>"

    def __call__(self, **parts: Part) -> "Reason":
        return Reason(self, parts)


# All codes by name. The modules that use them declare them.
CODES: dict[str, Code] = {}


class Reason(Sentence):
    """The reason of an outcome: a code, its parameters, and the English sentence.

    Attributes:
        code: the kind of the reason.
        parts: the parameters of its sentence, which may be reasons themselves.
        more: additions, each a code and its parameters.
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
        """Make a reason; `text` is the English sentence, None to build it from the rest."""
        if text is None:
            text = code.template % parts
            for added, own in more:
                text = added.template % {**own, "reason": text}
        made = str.__new__(cls, text)
        made.code, made.template, made.parts, made.more = code, code.template, parts, more
        return made

    def adding(self, code: Code, **parts: Part) -> "Reason":
        """The reason with an addition. Its code stays the same."""
        return Reason(self.code, self.parts, (*self.more, (code, parts)))

    def says(self, code: Code) -> bool:
        """Whether its code, or the code of an addition, is this one."""
        return code in (self.code, *(added for added, _ in self.more))

    def with_texts(self, change: OfText) -> "Reason":
        """The same reason with `change` applied to all texts in its parameters."""
        more = tuple((code, _changed(parts, change)) for code, parts in self.more)
        return Reason(self.code, _changed(self.parts, change), more)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that a row stores, as JSON."""
        more = [{"code": code.name, "params": _stored(parts)} for code, parts in self.more]
        return _stored(self.parts) | ({MORE: more} if more else {})


def said(text: str, translate: OfText) -> str:
    """Translate a sentence; any other text is returned unchanged.

    Args:
        text: the text.
        translate: translates a template, such as gettext.

    Raises:
        KeyError, TypeError, ValueError: the parameters do not fit the translated template.
    """
    if not isinstance(text, Sentence):
        return text
    found = translate(text.template) % _said_parts(text.parts, translate)
    for code, parts in text.more if isinstance(text, Reason) else ():
        found = translate(code.template) % {**_said_parts(parts, translate), "reason": found}
    return found


def restored(name: str, params: Any, text: str | None = None) -> Reason | None:
    """Rebuild a reason from a row.

    Args:
        name: the name of its code.
        params: its stored parameters.
        text: the stored English sentence; None to build it.

    Returns:
        None if the code or the parameters are unknown: a newer version or another program wrote
        them.
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
