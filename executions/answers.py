"""Check a person's answers against the agent's questions, for the API and the pages."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from moca.api.storable import faults as unstorable

# The most bytes that all answers to a run may have as JSON.
MAX_BYTES = 8 * 1024
# The most faults that one error has.
MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one answer.

    Attributes:
        question_id: the question; empty if the fault is about all answers.
        path: the names of the parts of the answer that lead to the fault.
        message: the cause and the remedy.
        code: the kind of fault.
    """

    question_id: str
    message: str
    path: tuple[str, ...] = ()
    code: str = "invalid"


class InvalidAnswersError(Exception):
    """Some answers do not fit their questions."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults[0].message)
        self.faults = faults


def check(questions: list[dict[str, Any]], answers: Mapping[str, Any]) -> None:
    """Check that each question has an answer that fits it.

    Raises:
        InvalidAnswersError: with all faults.
    """
    unfit = [
        Fault(key, fault["message"])
        for key, value in answers.items()
        for fault in unstorable(value)
    ]
    if unfit:
        raise InvalidAnswersError(unfit[:MAX_FAULTS])
    if len(json.dumps(answers, ensure_ascii=False).encode()) > MAX_BYTES:
        message = _("The answers have more than %(number)s bytes: shorten them.")
        raise InvalidAnswersError([Fault("", message % {"number": f"{MAX_BYTES:,}"})])
    faults = [fault for question in questions for fault in _faults(question, answers)]
    known = {question["id"] for question in questions}
    faults += [Fault(key, _unknown(known), code="unknown") for key in answers if key not in known]
    if faults:
        raise InvalidAnswersError(faults[:MAX_FAULTS])


def _unknown(known: set[str]) -> str:
    return _("The run asks no such question. It asks %(ids)s.") % {"ids": ", ".join(sorted(known))}


def _faults(question: Mapping[str, Any], answers: Mapping[str, Any]) -> Iterator[Fault]:
    key, schema = question["id"], question.get("schema")
    if key not in answers:
        yield Fault(key, _("Answer this question."), code="required")
        return
    value = answers[key]
    if schema is None:
        if value is None or (isinstance(value, str) and not value.strip()):
            yield Fault(key, _("Answer this question."), code="required")
        return
    from executions.answer_schema import faults  # loads jsonschema, which takes 100 ms

    for path, message, code in faults(schema, value):
        yield Fault(key, message, path, code)
