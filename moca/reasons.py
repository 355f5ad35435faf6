"""Model fields for stored reasons: an English sentence, its code and its parameters.

API clients and other programs read the sentence. Pages build it from the code in the reader's
language. Rows of earlier versions and of other programs have no code; pages show their sentence.

    error = models.TextField(blank=True)
    error_code, error_params = CodeField(), ParamsField()
"""

from typing import Any

from django.db import models
from django.utils.translation import get_language, gettext

from moca.sentences import Reason, restored, said

CODE, PARAMS = "_code", "_params"
# Characters of a text among the parameters; more than a quotation of an agent has.
LONGEST = 2_100


class CodeField(models.CharField):
    """The code of the sentence in the field of the same name without `_code`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max_length": 50, "blank": True, "editable": False, **options})


class ParamsField(models.JSONField):
    """The sentence's parameters; None if it has none."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"null": True, "blank": True, "editable": False, **options})


def columns(name: str, reason: str, longest: int = LONGEST) -> dict[str, Any]:
    """The values of a row's three fields for a reason, by field name.

    Args:
        name: the field of the sentence.
        reason: a `Reason`, or a sentence without a code; empty for none.
        longest: the most characters of each text among the parameters.
    """
    # An agent's text may contain NUL, which some databases refuse.
    text = str(reason).replace("\0", "")
    if not isinstance(reason, Reason):
        return {name: text, name + CODE: "", name + PARAMS: None}
    bounded = reason.with_texts(lambda part: part.replace("\0", "")[:longest])
    return {name: text, name + CODE: reason.code.name, name + PARAMS: bounded.params or None}


def put(row: models.Model, name: str, reason: str) -> None:
    """Set a row's fields for a reason; the caller saves the row."""
    for column, value in columns(name, reason).items():
        setattr(row, column, value)


def of(row: models.Model, name: str) -> str:
    """A row's stored reason: a `Reason`, or the plain sentence if the row has no known code."""
    text: str = getattr(row, name)
    code: str = getattr(row, name + CODE)
    if not text or not code:
        return text
    return restored(code, getattr(row, name + PARAMS), text) or text


def shown(row: models.Model, name: str) -> str:
    """A row's stored reason in the reader's language."""
    return translated(of(row, name))


def translated(text: str) -> str:
    """A sentence in the reader's language; any other text unchanged."""
    if isinstance(text, Reason) and (get_language() or "en").startswith("en"):
        # The stored sentence may be longer than one built from its bounded parameters.
        return str(text)
    try:
        return said(text, gettext)
    except (KeyError, TypeError, ValueError):
        # Another version wrote the parameters, and they do not fit the template.
        return str(text)


def is_beside(field: "models.Field[Any, Any]") -> bool:
    """Whether a field is the code or the parameters of another field's sentence."""
    return isinstance(field, CodeField | ParamsField)
