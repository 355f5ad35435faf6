"""The tester beside the form of a trigger: does a sample event match, and what is the prompt?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from console.received_events import EventRow, event_row
from events import examples, sources
from events.models import EventSource, ReceivedEvent
from events.patterns import Finding, Pattern, PatternError, TooMuchWorkError, parse
from executions import envelope, prompts
from executions.models import Source
from moca.display import pretty
from triggers import chains
from triggers.i18n import translated
from triggers.models import Trigger, TriggerType
from triggers.placeholders import not_understood, paths
from triggers.validation import RUN_ENDS

# The number of latest events offered as samples.
LATEST = 10
# The other choices: an event that the operator wrote, and a generated example.
OWN, EXAMPLE = "", "example"
# Events may be larger. A person reads this one, and each keystroke matches it again.
MAX_SAMPLE = 64 * 1024
# The number of characters of a prompt that the preview shows.
MOST_SHOWN = 20_000


@dataclass(slots=True)
class Sample:
    """An event to try a trigger with.

    Attributes:
        source_id: the source that the form names.
        source: that source. None if the form names none, or if it does not exist.
        latest: its latest events. Empty if the choices stay as they are.
        chosen: the choice: the id of one of these events, `OWN` or `EXAMPLE`.
        text: the sample as JSON.
        event: the parsed text. None if it is not an object.
        problem: why it is not an object.
        is_new: whether the text differs from the input.
    """

    source_id: str
    source: EventSource | None
    chosen: str
    text: str
    latest: list[EventRow] = field(default_factory=list)
    event: dict[str, Any] | None = None
    problem: str = ""
    is_new: bool = False

    @property
    def shown(self) -> str:
        """The source and the choice of the text. If the form has others, the text is replaced."""
        return f"{self.source_id} {self.chosen}"


@dataclass(slots=True)
class Check:
    """The result of one pattern: field by field, or the reason why there is none.

    Attributes:
        title: the name of the pattern.
        findings: the result of each field. Empty if there is a problem or a note.
        problem: why there is no result.
        note: why the result is not shown field by field.
        matched: whether the sample matches.
    """

    title: str
    findings: list[Finding] = field(default_factory=list)
    problem: str = ""
    note: str = ""
    matched: bool = False


@dataclass(slots=True)
class Tester:
    """The result for the sample.

    Attributes:
        checks: the results of the source's pattern and of the trigger's pattern.
        matched: whether all match. None if that is unknown.
        hint: what is missing for a result.
    """

    checks: list[Check]
    matched: bool | None = None
    hint: str = ""


@dataclass(slots=True)
class PromptPreview:
    """The prompt with the parts of a sample event in it.

    Attributes:
        text: the prompt.
        missing: paths that the event does not have.
        unread: texts in braces that are not paths. Runs leave them unchanged.
        whole: the prompt with the added context. Empty if none is added.
    """

    text: str
    missing: list[str]
    unread: list[str]
    whole: str


def sample_of(entered: Mapping[str, Any], now: datetime, *, offers: bool = False) -> Sample:
    """The sample that the form shows next.

    Args:
        entered: values of the form: `event_source_id`, `event_pattern`, and of the tester
            `sample`, `sample_event` (the choice) and `sample_shown` (see `Sample.shown`).
        now: the current time.
        offers: whether to load the choices again even if the text stays the same.
    """
    source_id = str(entered.get("event_source_id") or "").strip()
    source = sources.find(source_id) if source_id else None
    before = entered.get("sample_shown")
    shown_source, _space, shown = str(before or "").rpartition(" ")
    chosen = str(entered.get("sample_event") or OWN)
    sample = Sample(source_id, source, chosen, str(entered.get("sample") or ""))
    if before is None or shown_source != source_id:
        sample.latest = _latest(source)
        sample.chosen = sample.latest[0].row.pk if sample.latest else EXAMPLE
        _fill(sample, entered, now)
    elif chosen not in (shown, OWN) or _is_outdated(sample, entered, now):
        sample.latest = _latest(source)
        _fill(sample, entered, now)
    elif offers:
        sample.latest = _latest(source)
        if chosen not in (EXAMPLE, *(each.row.pk for each in sample.latest)):
            sample.chosen = OWN
    _read(sample)
    return sample


def _latest(source: EventSource | None) -> list[EventRow]:
    if source is None or not source.has_address:
        return []
    return [event_row(row) for row in ReceivedEvent.objects.of_source(source.pk)[:LATEST]]


def _fill(sample: Sample, entered: Mapping[str, Any], now: datetime) -> None:
    """Put the chosen event into the sample, or an example if the event is gone."""
    sample.is_new = True
    found = next((row for row in sample.latest if row.row.pk == sample.chosen), None)
    if found:
        sample.text = found.text
        return
    sample.chosen = EXAMPLE
    sample.text = pretty(_example(sample, entered, now))


def _example(sample: Sample, entered: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    pattern = _json(entered.get("event_pattern"))
    example = examples.example_envelope(sample.source, pattern, now)
    if example["source"] == RUN_ENDS and isinstance(example["detail"], dict):
        example["detail"] = {**chains.example_of(example["detail-type"]), **example["detail"]}
    return example


def _is_outdated(sample: Sample, entered: Mapping[str, Any], now: datetime) -> bool:
    """Whether the sample is an example, and the form now waits for the end of another run.

    The list of triggers fills in the pattern after the first example was made. An example that
    does not match it would tell people that their chain is wrong.
    """
    if sample.chosen != EXAMPLE:
        return False
    example, shown = _example(sample, entered, now), _json(sample.text)
    return example["source"] == RUN_ENDS and _end(shown) != _end(example)


def _end(event: Any) -> tuple[Any, ...]:
    """What tells the ends of runs apart in a pattern of the form."""
    if not isinstance(event, dict):
        return ()
    detail = event.get("detail")
    trigger = detail.get("triggerId") if isinstance(detail, dict) else None
    return event.get("source"), event.get("detail-type"), trigger


def _json(value: Any) -> Any:
    """The value of a JSON field, parsed if it is a text. None if it is not valid JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _read(sample: Sample) -> None:
    if len(sample.text) > MAX_SAMPLE:
        sample.problem = _("The sample has more than %(most)s characters: shorten it.") % {
            "most": f"{MAX_SAMPLE:,}"
        }
        return
    try:
        event = json.loads(sample.text)
    except (ValueError, RecursionError) as error:
        sample.problem = _("The sample is not valid JSON: %(reason)s") % {"reason": error}
        return
    if isinstance(event, dict):
        sample.event = event
    else:
        sample.problem = _("The sample is not a JSON object.")


def test(entered: Mapping[str, Any], sample: Sample) -> Tester:
    """Match a sample with the pattern of the form's source and with the form's own pattern.

    Args:
        entered: values of the form: `event_pattern` and `event_source_id`.
        sample: the sample.
    """
    checks = []
    if sample.source and sample.source.pattern:
        checks.append(_check(_("Pattern of the event source"), sample.source.pattern, sample))
    own = entered.get("event_pattern")
    if own not in (None, ""):
        checks.append(_check(_("Event pattern"), own, sample))
    tester = Tester(checks)
    if sample.source_id and sample.source is None:
        tester.hint = _("There is no event source %(source)s any more.") % {
            "source": sample.source_id
        }
    elif not sample.source_id and not checks:
        tester.hint = _("Choose an event source, or enter a pattern.")
    elif sample.event is not None and not any(check.problem for check in checks):
        tester.matched = all(check.matched for check in checks)
    return tester


def _check(title: str, document: Any, sample: Sample) -> Check:
    check = Check(title)
    try:
        pattern = _pattern(document)
    except PatternError as error:
        check.problem = error.full_message
    except (ValueError, RecursionError) as error:
        check.problem = _("This is not valid JSON: %(reason)s") % {"reason": error}
    else:
        if sample.event is not None:
            _ask(pattern, sample.event, check)
    return check


def _ask(pattern: Pattern, event: dict[str, Any], check: Check) -> None:
    try:
        check.matched = pattern.matches(event)
    except TooMuchWorkError as error:
        check.problem = _("%(reason)s Such an event does not run the trigger.") % {
            "reason": translated(error.reason)
        }
        return
    try:
        check.findings = [_said(each) for each in pattern.explain(event)]
    except TooMuchWorkError:
        check.note = _("The pattern and the sample are too large to compare them field by field.")


def _said(finding: Finding) -> Finding:
    """The finding in the operator's language."""
    return replace(finding, wanted=translated(finding.wanted), found=translated(finding.found))


def _pattern(document: Any) -> Pattern:
    return parse(json.loads(document) if isinstance(document, str) else document)


def preview_prompt(
    entered: Mapping[str, Any], sample: Sample, now: datetime
) -> PromptPreview | None:
    """The prompt with a sample event. None if it has nothing in double braces.

    Args:
        entered: values of the form: `name`, `type`, `prompt` and `include_context`.
        sample: the sample, for a trigger that fires on events.
        now: the time of the run.
    """
    prompt = str(entered.get("prompt") or "")
    unread = not_understood(prompt)
    if not unread and not paths(prompt):
        return None
    has_context = bool(entered.get("include_context"))
    trigger = Trigger(
        name=str(entered.get("name") or ""), prompt=prompt, include_context=has_context
    )
    if entered.get("type") == TriggerType.EVENT:
        event = sample.event or {}
    else:
        event = envelope.build(trigger, Source.SCHEDULE, "example", now)
    text = prompts.fill(prompt, event)
    whole = prompts.compose(trigger, event, now) if has_context else ""
    missing = prompts.missing(prompt, event)
    return PromptPreview(text[:MOST_SHOWN], missing, unread, whole[:MOST_SHOWN])
