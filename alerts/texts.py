"""What a message says: what happened, why, and what to do, in the language of its channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, gettext_noop, ngettext

from alerts.gather import groups_of
from alerts.happenings import Happening
from alerts.models import Delivery
from moca import reasons
from moca.sentences import restored

# The groups that a text describes. The others are counted.
MOST_DESCRIBED = 20
LONGEST_SUBJECT = 150
PREFIX = "[Moca] "

TITLES: dict[str, str] = {
    Happening.STARTED: gettext_noop("%(trigger)s started"),
    Happening.COMPLETED: gettext_noop("%(trigger)s completed"),
    Happening.FAILED: gettext_noop("%(trigger)s failed"),
    Happening.FAILING: gettext_noop("%(trigger)s keeps failing (%(number)s in a row)"),
    Happening.RECOVERED: gettext_noop("%(trigger)s works again (failed %(number)s in a row)"),
    Happening.MISSED: gettext_noop("%(trigger)s missed runs"),
    Happening.SKIPPED: gettext_noop("%(trigger)s skipped a run"),
    Happening.LATE: gettext_noop("%(trigger)s is late by %(minutes)s min"),
    Happening.TOO_LONG: gettext_noop("%(trigger)s has been running for %(minutes)s min"),
    Happening.WAITS: gettext_noop("%(trigger)s waits for a person (%(hours)s h to answer)"),
    Happening.PAUSED: gettext_noop("%(trigger)s was paused (failed %(number)s in a row)"),
    Happening.OUT_OF_STEP: gettext_noop("%(trigger)s differed from its schedule or rule"),
    Happening.OVER_BUDGET: gettext_noop("%(trigger)s has spent %(number)s %% of a budget"),
    Happening.NO_SCHEDULER: gettext_noop("No scheduler has been alive for %(minutes)s min"),
    Happening.CHANNEL_OFF: gettext_noop("The channel %(channel)s was switched off"),
}

ADVICE: dict[str, str] = {
    Happening.FAILED: gettext_noop("Open the run, correct what it names, and replay it."),
    Happening.FAILING: gettext_noop("Open the run, correct what it names, and replay it."),
    Happening.MISSED: gettext_noop(
        "Check that a scheduler runs all the time. Run the trigger now if its work is still needed."
    ),
    Happening.SKIPPED: gettext_noop(
        "Give the trigger a longer interval, or let its runs overlap, if this happens often."
    ),
    Happening.LATE: gettext_noop("Check that the scheduler runs and is not busy."),
    Happening.TOO_LONG: gettext_noop("Open the run, and cancel it if the agent hangs."),
    Happening.WAITS: gettext_noop("Open the run and answer."),
    Happening.PAUSED: gettext_noop(
        "It does not run until somebody enables it: correct the reason, then enable the trigger."
    ),
    Happening.OUT_OF_STEP: gettext_noop(
        "Look at the trigger's changes: somebody may have changed its schedule elsewhere."
    ),
    Happening.OVER_BUDGET: gettext_noop("Raise the budget, or wait until its time is over."),
    Happening.NO_SCHEDULER: gettext_noop(
        "No trigger runs now: start the scheduler, and run manage.py doctor."
    ),
    Happening.CHANNEL_OFF: gettext_noop("Correct the channel's address, and switch it on."),
}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What a message says about one group of happenings; each text may be empty but the title."""

    title: str
    reason: str
    advice: str
    output: str
    times: str
    link: str


@dataclass(frozen=True, slots=True)
class Text:
    """A message in one language: its subject, its body as plain text, and its link."""

    subject: str
    body: str
    link: str


def text_of(delivery: Delivery, language: str) -> Text:
    """The text of a delivery in a language."""
    if delivery.is_test:
        return test_text(delivery.channel_name, language)
    with translation.override(language):
        groups = list(groups_of(delivery))
        paragraphs = [paragraph_of(group) for group in groups[:MOST_DESCRIBED]]
        link = link_of(groups[0]) if len(groups) == 1 else _address("/console/runs")
        parts = ["\n".join(_lines(each)) for each in paragraphs]
        left = len(groups) - len(paragraphs)
        if left:
            parts.append(gettext("And %(number)s more kinds of happenings.") % {"number": left})
        if more := delivery.contents.get("more", 0):
            parts.append(gettext("And %(number)s more happenings.") % {"number": more})
        parts.append(_foot(delivery))
        return Text(_subject(delivery, paragraphs), "\n\n".join(parts), link)


def test_text(channel_name: str, language: str) -> Text:
    """The text of a test message."""
    with translation.override(language):
        subject = gettext("Test message from Moca Triggers")
        body = gettext("The channel %(channel)s works: alerts will arrive here.")
        return Text(subject, body % {"channel": channel_name}, _address("/console"))


def paragraph_of(group: Mapping[str, Any]) -> Paragraph:
    """What to say about a group, in the active language."""
    return Paragraph(
        title=_counted(_title(group), group.get("count", 1)),
        reason=_reason(group),
        advice=gettext(ADVICE[kind]) if (kind := str(group.get("kind"))) in ADVICE else "",
        output=str(group.get("output") or ""),
        times=_times(group),
        link=link_of(group),
    )


def link_of(group: Mapping[str, Any]) -> str:
    """The address of the page of a group's run or trigger; empty without PUBLIC_URL."""
    trigger, execution = group.get("triggerId"), group.get("executionId")
    if not trigger:
        return _address("/console")
    path = f"/console/triggers/{trigger}"
    return _address(f"{path}/runs/{execution}" if execution else path)


def _address(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else ""


def _title(group: Mapping[str, Any]) -> str:
    kind = str(group.get("kind"))
    params = group.get("params", {})
    named = group.get("triggerName") or params.get("name")
    name = str(named or "") or gettext("This installation")
    params = {**params, "trigger": name}
    try:
        return gettext(_template(kind, params)) % params
    except (KeyError, TypeError, ValueError):
        # A newer version has written it, or its producer left a parameter out.
        label = Happening(kind).label if kind in Happening.values else kind
        return f"{name}: {label}"


def _template(kind: str, params: Mapping[str, Any]) -> str:
    """The title of a kind of happening; KeyError if a newer version has written the happening."""
    if kind == Happening.FAILING and params.get("number") == 1:
        return TITLES[Happening.FAILED]
    if kind == Happening.TOO_LONG and params.get("minutes") == 0:
        return gettext_noop("%(trigger)s takes too long")
    return TITLES[kind]


def _counted(title: str, count: int) -> str:
    if count <= 1:
        return title
    return gettext("%(title)s (%(count)s times)") % {"title": title, "count": f"{count:,}"}


def _reason(group: Mapping[str, Any]) -> str:
    stored = group.get("params", {}).get("reason")
    if isinstance(stored, dict):
        found = restored(str(stored.get("code")), stored.get("params"))
        return reasons.translated(found) if found is not None else ""
    return str(stored or "")


def _times(group: Mapping[str, Any]) -> str:
    first, last = (_shown(group.get(name)) for name in ("firstAt", "lastAt"))
    if first == last:
        return last
    return gettext("%(first)s to %(last)s") % {"first": first, "last": last}


def _shown(text: Any) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return ""


def _lines(paragraph: Paragraph) -> list[str]:
    lines = [paragraph.title]
    if paragraph.reason:
        lines.append(gettext("Why: %(reason)s") % {"reason": paragraph.reason})
    if paragraph.advice:
        lines.append(gettext("What to do: %(advice)s") % {"advice": paragraph.advice})
    if paragraph.output:
        lines.append(gettext("The agent said: %(output)s") % {"output": paragraph.output})
    lines += [line for line in (paragraph.times, paragraph.link) if line]
    return lines


def _subject(delivery: Delivery, paragraphs: list[Paragraph]) -> str:
    if len(paragraphs) == 1 and not delivery.contents.get("more"):
        text = paragraphs[0].title
    else:
        names = {group.get("triggerId") for group in groups_of(delivery)}
        text = ngettext(
            "%(number)s happenings at %(triggers)s trigger",
            "%(number)s happenings at %(triggers)s triggers",
            len(names),
        ) % {
            "number": f"{delivery.number:,}",
            "triggers": f"{len(names)}+" if delivery.contents.get("more") else len(names),
        }
    return " ".join(f"{PREFIX}{text}".split())[:LONGEST_SUBJECT]


def _foot(delivery: Delivery) -> str:
    foot = gettext("Sent by the rule %(rule)s of Moca Triggers. Message %(id)s.")
    return foot % {"rule": delivery.rule_name, "id": delivery.pk}
