"""The fields of a trigger's form for what a schedule has beside its expression.

They are the parts of `triggers.schedules.plan_parts`: further expressions, an interval, days off,
working days. `parts_of()` makes the parts of what was entered, `shown_parts()` the other way round.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.forms import Script
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from triggers.models import MoveTo
from triggers.schedules.days_off import countries
from triggers.schedules.plan_parts import PLAN_PARTS

_DATE = r"\d{4}-\d\d-\d\d"
_RANGE = re.compile(rf"({_DATE})\s*(?:[-~\u2013\u301c/]|\.\.+|to)?\s*({_DATE})")
UNITS = (("days", _("days")), ("weeks", _("weeks")), ("months", _("months")))
# For each field: the part that it belongs to, and the code of errors that are shown at it.
PLAN_FIELDS = {
    "more_expressions": "moreExpressions",
    "every_number": "every",
    "every_unit": "every",
    "every_from": "every",
    "days_off": "daysOff",
    "weekends_off": "daysOff",
    "holidays": "daysOff",
    "move_to": "moveTo",
    "working_days": "workingDays",
}
# The field that shows the errors of a part, and those with a certain code.
FIELDS_OF_PARTS = {
    "moreExpressions": "more_expressions",
    "every": "every_number",
    "daysOff": "days_off",
    "moveTo": "move_to",
    "workingDays": "working_days",
}
FIELDS_OF_CODES = {"daysOff.holidays": "holidays", "every.from": "every_from"}
# How errors name the part of the API that they are about.
_NAME_OF_PART = re.compile(rf"(?:{'|'.join(PLAN_PARTS)})(?:\.\w+|\[\d+\])*: ")


def without_name(message: str) -> str:
    """The message without the API's name of the part: a form has a label for each field."""
    named = _NAME_OF_PART.match(message)
    return message[named.end() :] if named else message


class CountryInput(forms.TextInput):
    """A text input for a code that suggests, by name, the countries whose holidays are known."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        named = {"list": f"{name}_names", "data-by-name": ""}
        field = super().render(name, value, {**(attrs or {}), **named}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', countries().items())
        shown = format_html('<output class="fine" for="{}"></output>', (attrs or {}).get("id", ""))
        names = format_html('<datalist id="{}_names" data-regions>{}</datalist>', name, options)
        return field + shown + names


def _lines(rows: int, **attrs: str) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "cols": 40, "spellcheck": "false", **attrs})


class PlanFields(forms.Form):
    """The fields; `TriggerForm` has them, too."""

    more_expressions = forms.CharField(
        label=_("Further times"),
        required=False,
        widget=_lines(2, **{"data-more": ""}),
        help_text=_("Further schedules, one a line, such as cron(30 11 ? * SAT *). Up to nine."),
    )
    every_number = forms.IntegerField(
        label=_("Only every"),
        required=False,
        min_value=1,
        help_text=_("2 and weeks: every other week. Weeks begin on Monday."),
    )
    every_unit = forms.ChoiceField(label=_("Unit"), required=False, choices=UNITS, initial="weeks")
    every_from = forms.CharField(
        label=_("Counted from"),
        required=False,
        max_length=10,
        widget=forms.TextInput(attrs={"type": "date"}),
        help_text=_("A day in the first week or month. There are no runs before it."),
    )
    weekends_off = forms.BooleanField(label=_("Not on weekends"), required=False)
    holidays = forms.CharField(
        label=_("Not on public holidays of"),
        required=False,
        max_length=60,
        widget=CountryInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Type a country's name and choose it, or enter its code, such as DE, or that of a part "
            "of it, such as DE-BY or US-CA."
        ),
    )
    days_off = forms.CharField(
        label=_("Not on these days"),
        required=False,
        widget=_lines(2, **{"data-days": ""}),
        help_text=_("One a line: 2026-12-24, or from a day to another: 2026-12-24 to 2027-01-03."),
    )
    move_to = forms.ChoiceField(
        label=_("A run on such a day"),
        required=False,
        choices=[("", _("is left out")), *((each.value, each.label) for each in MoveTo)],
    )
    working_days = forms.CharField(
        label=_("Only on working days of the month"),
        required=False,
        max_length=100,
        help_text=_("1 is the first, -1 the last; several with commas. Empty: on each day."),
    )

    class Media:
        js: ClassVar[list[Any]] = [
            Script("triggers/schedule-calendar.js", type="module"),
            Script("moca/named-options.js", type="module"),
        ]


def parts_of(entered: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a schedule's map, given the values of the fields; None for an empty part."""

    def text(name: str) -> str:
        return str(entered.get(name) or "").replace("\r\n", "\n").strip()

    dates, ranges = _days(text("days_off"))
    off = {
        "dates": dates,
        "ranges": ranges,
        "holidays": text("holidays"),
        "weekends": text("weekends_off") in ("True", "on", "true"),
    }
    number, first = text("every_number"), text("every_from")
    every = {text("every_unit") or "weeks": _whole(number) if number else None, "from": first}
    more = [line.strip() for line in text("more_expressions").split("\n") if line.strip()]
    working = [_whole(each) for each in re.split(r"[,\s]+", text("working_days")) if each]
    found: dict[str, Any] = {
        "moreExpressions": more,
        "every": {unit: value for unit, value in every.items() if value} if number or first else {},
        "daysOff": {name: value for name, value in off.items() if value},
        "moveTo": text("move_to"),
        "workingDays": working,
    }
    return {part: value or None for part, value in found.items()}


def _days(text: str) -> tuple[list[str], list[dict[str, str]]]:
    dates, ranges = [], []
    for line in text.replace(",", "\n").split("\n"):
        if match := _RANGE.fullmatch(line.strip()):
            ranges.append({"from": match[1], "to": match[2]})
        elif line.strip():
            dates.append(line.strip())
    return dates, ranges


def _whole(text: str) -> Any:
    """The number; the text itself if it is none, for the error that says so."""
    return int(text) if re.fullmatch("-?[0-9]{1,9}", text) else text


def shown_parts(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the fields for the parts of a map; parts of another form are left out."""
    found: dict[str, Any] = {"move_to": config.get("moveTo") or ""}
    more, working = config.get("moreExpressions"), config.get("workingDays")
    if isinstance(more, list):
        found["more_expressions"] = "\n".join(map(str, more))
    if isinstance(working, list):
        found["working_days"] = ", ".join(map(str, working))
    every = config.get("every")
    if isinstance(every, dict):
        unit = next((unit for unit, _label in UNITS if every.get(unit)), "weeks")
        found |= {"every_number": every.get(unit), "every_unit": unit}
        found["every_from"] = every.get("from")
    off = config.get("daysOff")
    if isinstance(off, dict):
        ranges = [f"{each.get('from')} to {each.get('to')}" for each in off.get("ranges") or ()]
        found["days_off"] = "\n".join([*off.get("dates", ()), *ranges])
        found |= {"holidays": off.get("holidays"), "weekends_off": bool(off.get("weekends"))}
    return found
