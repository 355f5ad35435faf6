"""What the page of a run shows of questions to a person: the form, or the answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from console.answer_form import AnswerForm
from executions.models import TriggerExecution, WaitingRun
from moca.display import pretty
from moca.ids import made_at


@dataclass(slots=True)
class Answers:
    """What a person answered, and the run that goes on with it."""

    made: TriggerExecution
    at: datetime

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The questions and their answers."""
        answers = self.made.answers or []
        return [(each.get("question", ""), _shown(each.get("value"))) for each in answers]


def panel_of(found: TriggerExecution, form: AnswerForm | None = None) -> dict[str, Any]:
    """The template context of a run's questions. A run that asks nothing takes no read.

    Args:
        found: the run.
        form: the form that was sent, with its errors; None for an empty one.
    """
    if found.continues:
        return {"answered": Answers(found, made_at(found.pk)), **_questions(found, form)}
    return _questions(found, form)


def _questions(found: TriggerExecution, form: AnswerForm | None) -> dict[str, Any]:
    if found.awaits_answer:
        waiting = WaitingRun.objects.filter(pk=found.pk).first()
        form = form or AnswerForm(found.questions or [])
        return {"waiting": waiting, "answer_form": form}
    if found.continued_by:
        made = TriggerExecution.objects.keyed(found.trigger_id, found.continued_by).first()
        if made is not None:
            return {"continued": Answers(made, made_at(made.pk))}
    return {"unanswered": found.questions or []}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return value if isinstance(value, str) else pretty(value)
