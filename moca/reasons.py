"""Reasons that rows keep: a code and its parameters beside the sentence in English.

API clients and other programs read the sentence. Pages make it anew from the code, in the reader's
language. A row without a code is of an earlier edition or of another program, and its sentence is
shown as it stands.

    error = models.TextField(blank=True)
    error_code, error_params = CodeField(), ParamsField()
"""

from typing import Any

from django.db import models
from django.utils.translation import get_language, gettext

from moca.sentences import Reason, restored, said

CODE, PARAMS = "_code", "_params"
# Characters of a text among the parameters. More than is quoted of an agent.
LONGEST = 2_100


class CodeField(models.CharField):
    """The code of the sentence that the field of the same name without `_code` keeps."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max_length": 50, "blank": True, "editable": False, **options})


class ParamsField(models.JSONField):
    """The parameters of the sentence; None if it has none."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"null": True, "blank": True, "editable": False, **options})


def columns(name: str, reason: str, longest: int = LONGEST) -> dict[str, Any]:
    """The values of the fields in which a row keeps a reason.

    Args:
        name: the field of the sentence.
        reason: the reason, or a sentence without a code; empty for none.
        longest: characters of a text among the parameters.
    """
    # Some databases take no NUL in a text, and the agent may have said one.
    text = str(reason).replace("\0", "")
    if not isinstance(reason, Reason):
        return {name: text, name + CODE: "", name + PARAMS: None}
    bounded = reason.with_texts(lambda part: part.replace("\0", "")[:longest])
    return {name: text, name + CODE: reason.code.name, name + PARAMS: bounded.params or None}


def put(row: models.Model, name: str, reason: str) -> None:
    """Set the fields in which a row keeps a reason; the caller saves."""
    for column, value in columns(name, reason).items():
        setattr(row, column, value)


def of(row: models.Model, name: str) -> str:
    """What a row keeps: a `Reason`, or the sentence alone if the row has no code for it."""
    text: str = getattr(row, name)
    code: str = getattr(row, name + CODE)
    if not text or not code:
        return text
    return restored(code, getattr(row, name + PARAMS), text) or text


def shown(row: models.Model, name: str) -> str:
    """What a row keeps, in the reader's language."""
    return translated(of(row, name))


def translated(text: str) -> str:
    """A sentence in the reader's language; any other text as it is."""
    if isinstance(text, Reason) and (get_language() or "en").startswith("en"):
        # As it is stored, which may be longer than what its parameters make.
        return str(text)
    try:
        return said(text, gettext)
    except (KeyError, TypeError, ValueError):
        # The parameters are not those of the template: another edition wrote them.
        return str(text)


def is_beside(field: "models.Field[Any, Any]") -> bool:
    """Whether a field only says again, as a code, what the field beside it says in words."""
    return isinstance(field, CodeField | ParamsField)
