"""The form of a trigger, for the admin and the operators' pages.

It has a field for each part of the two maps, `schedule_config` and `event_config`.
"""

from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext_lazy as _

from moca.api.errors import offer_words
from moca.forms import JSONTextField, VersionedForm
from moca.times import iso, parse_iso
from triggers import chains
from triggers.models import OnDeadline, OverlapPolicy, Trigger, TriggerType
from triggers.plan_form import (
    FIELDS_OF_CODES,
    FIELDS_OF_PARTS,
    PLAN_FIELDS,
    PlanFields,
    parts_of,
    shown_parts,
    without_name,
)
from triggers.schedules import ExpressionError, parse_zone
from triggers.sections import ENTRIES
from triggers.validation import MAX_DEBOUNCE_SECONDS, MAX_RUNS_PER_HOUR, MAX_WINDOW_MINUTES
from triggers.widgets import ScheduleInput, SourceSelect, TriggerSelect, ZoneInput

# The form's field for each part of a map.
SCHEDULE_FIELDS = {
    "expression": "expression",
    "timezone": "timezone",
    "startDate": "start_date",
    "endDate": "end_date",
    "flexibleTimeWindowMinutes": "window_minutes",
}
EVENT_FIELDS = {
    "eventSourceId": "event_source_id",
    "eventBusName": "event_bus_name",
    "eventPattern": "event_pattern",
    "debounceSeconds": "debounce_seconds",
    "maxRunsPerHour": "max_runs_per_hour",
}
CHECK_FIELDS = {
    "notEmpty": "check_not_empty",
    "contains": "check_contains",
    "jsonSchema": "check_json_schema",
}
# For each map: the fields of its parts, and the field that shows errors about other parts.
MAPS = {
    "schedule_config": (SCHEDULE_FIELDS | FIELDS_OF_PARTS, "expression"),
    "event_config": (EVENT_FIELDS, "event_source_id"),
    "output_checks": (CHECK_FIELDS, "check_contains"),
}
DATES = ("startDate", "endDate")
_OF_MODEL = {field.name for field in Trigger._meta.fields}
NO_TOOLS = _(
    "Names of the tools the agent may use, one a line. Empty: none, as another program set it."
)


class NamesField(forms.CharField):
    """A list of names, entered one a line or separated by commas."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        names = (
            value if isinstance(value, list) else str(value or "").replace(",", "\n").split("\n")
        )
        return [name.strip() for name in names if str(name).strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class TextsField(NamesField):
    """A list of texts, entered one a line."""

    def to_python(self, value: Any) -> Any:
        texts = value if isinstance(value, list) else str(value or "").splitlines()
        return [text.strip() for text in texts if text.strip()]


class WallTimeField(forms.Field):
    """A wall time; another field of the form names its zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M:%S")

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is not None:
            raise ValidationError(
                _("Give a date and time without an offset, such as 2027-01-31T09:00."),
                code="invalid",
            )
        return moment


class TriggerForm(PlanFields, VersionedForm):
    """Make or change a trigger.

    Parts of the maps that the form has no field for survive, and unchanged parts stay as they were
    written. Errors that `Trigger.clean()` raises are shown at the field of their part.
    """

    # The user id that owns a new trigger, if the form has no field for it.
    owner = ""
    kind = _("trigger")

    tags = NamesField(
        label=_("Tags"),
        required=False,
        help_text=_("One a line, or with commas between them. To find triggers by."),
    )
    enabled_tools = NamesField(
        label=_("Tools"),
        required=False,
        help_text=_("Names of the tools the agent may use, one a line. Empty: the agent's own."),
    )
    expression = forms.CharField(
        label=_("Schedule"),
        required=False,
        max_length=256,
        help_text=_("cron(0 9 ? * MON-FRI *), rate(1 hour) or at(2027-01-31T09:00:00)."),
        widget=ScheduleInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    timezone = forms.CharField(
        label=_("Time zone"),
        required=False,
        widget=ZoneInput(attrs={"placeholder": "UTC", "autocomplete": "off"}),
        help_text=_("An IANA name such as Asia/Tokyo. Empty: UTC."),
    )
    start_date = WallTimeField(
        label=_("Start date"),
        required=False,
        help_text=_("No run before this, by the clock of the schedule's time zone."),
    )
    end_date = WallTimeField(
        label=_("End date"),
        required=False,
        help_text=_("No run after this, by the clock of the schedule's time zone."),
    )
    window_minutes = forms.IntegerField(
        label=_("Flexible window"),
        required=False,
        min_value=0,
        max_value=MAX_WINDOW_MINUTES,
        help_text=_("Minutes within which a run may start after it is due. Empty: at once."),
    )
    after_trigger = forms.CharField(
        label=_("When a run of another trigger ends"),
        required=False,
        max_length=36,
        widget=TriggerSelect,
        help_text=_(
            "Fills in the pattern. The prompt can use what the agent said, as "
            "{{ event.detail.output }} or, if it is JSON, {{ event.detail.value.name }}."
        ),
    )
    after_result = forms.ChoiceField(
        label=_("And has"),
        required=False,
        choices=[
            (",".join(chains.ONLY_COMPLETED), _("completed")),
            (",".join(chains.ONLY_FAILED), _("failed")),
            (",".join(chains.EITHER), _("completed or failed")),
        ],
    )
    event_source_id = forms.CharField(
        label=_("Event source"), required=False, max_length=256, widget=SourceSelect
    )
    event_bus_name = forms.CharField(
        label=_("Event bus"),
        required=False,
        max_length=256,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Without an event source: the bus whose events the pattern matches."),
    )
    event_pattern = JSONTextField(
        label=_("Event pattern"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "cols": 60, "spellcheck": "false"}),
        help_text=_(
            'An EventBridge pattern, such as {"detail-type": ["order.paid"]}: only events that '
            "match it run the trigger. Empty: all of the source."
        ),
    )
    debounce_seconds = forms.IntegerField(
        label=_("Debounce (seconds)"),
        required=False,
        min_value=0,
        max_value=MAX_DEBOUNCE_SECONDS,
        help_text=_(
            "Run once, with the latest event, when no further event has arrived for this long. "
            "Empty: run for each event."
        ),
    )
    max_runs_per_hour = forms.IntegerField(
        label=_("Max runs per hour"),
        required=False,
        min_value=1,
        max_value=MAX_RUNS_PER_HOUR,
        help_text=_(
            "Events that would start more runs within an hour are dropped. Empty: no limit."
        ),
    )
    overlap_policy = forms.ChoiceField(
        label=_("While a run is in progress"),
        required=False,
        choices=[("", _("Default of the type: schedules skip, events overlap"))],
        help_text=_("If runs are skipped, an event that arrives during a run is lost."),
    )

    on_deadline = forms.ChoiceField(
        label=_("If a run begins too late or takes too long"),
        required=False,
        choices=OnDeadline.choices,
    )

    check_not_empty = forms.BooleanField(label=_("The output must not be empty"), required=False)
    check_contains = TextsField(
        label=_("The output must contain"),
        required=False,
        help_text=_("Texts, one a line, in just this spelling. A run without one of them fails."),
    )
    check_json_schema = JSONTextField(
        label=_("JSON schema of the output"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"}),
        help_text=_(
            "The output has to be JSON, by itself or in a code block, and to fit this schema, or "
            'the run fails: {"type": "object", "required": ["total"]}.'
        ),
    )

    class Media:
        extend = True
        js = ("moca/trigger_form.js",)

    class Meta:
        model = Trigger
        fields: ClassVar[list[str]] = [e.name for e in ENTRIES if e.name in _OF_MODEL]
        labels: ClassVar[dict[str, Any]] = {e.name: e.label for e in ENTRIES if e.label}
        help_texts: ClassVar[dict[str, Any]] = {e.name: e.help_text for e in ENTRIES if e.help_text}

    def __init__(self, *args: Any, instance: Trigger | None = None, **kwargs: Any) -> None:
        is_blank = instance is None
        instance = instance or Trigger(user_id=self.owner)
        maps = {
            **_shown(instance.schedule_config),
            **_shown(instance.event_config),
            **_shown(instance.output_checks),
        }
        fields = {**SCHEDULE_FIELDS, **EVENT_FIELDS, **CHECK_FIELDS}
        initial = {fields[part]: value for part, value in maps.items() if part in fields}
        initial |= shown_parts(_shown(instance.schedule_config))
        if follows := chains.followed(initial.get("event_pattern")):
            initial |= {"after_trigger": follows[0], "after_result": ",".join(follows[1])}
        initial |= kwargs.pop("initial", None) or {}
        if is_blank:
            initial.setdefault("overlap_policy", "")
        super().__init__(*args, instance=instance, initial=initial, **kwargs)
        if "expression" in self.fields and not instance._state.adding:
            # For the preview: a rate without a start date counts from the creation.
            attrs = self.fields["expression"].widget.attrs
            attrs["data-counted-from"] = iso(instance.created_at)
        if "timezone" in self.fields and is_blank and not self.is_bound:
            # The page's script fills in the zone of the browser; without it, the zone is UTC.
            self.fields["timezone"].widget.attrs["data-fill"] = ""
        if instance.enabled_tools == [] and "enabled_tools" in self.fields:
            self.fields["enabled_tools"].help_text = NO_TOOLS
        if "catch_up" in self.fields:
            self.fields["catch_up"].required = False
        if "after_trigger" in self.fields:
            widget = self.fields["after_trigger"].widget
            widget.owner, widget.without = instance.user_id, instance.pk
        if "overlap_policy" in self.fields:
            self._offer_policies(self.fields["overlap_policy"])

    def _offer_policies(self, field: Any) -> None:
        """Offer the default of the type to a new trigger; a stored one has to name a policy."""
        is_new = self.instance._state.adding
        field.choices = [*(field.choices if is_new else ()), *OverlapPolicy.choices]
        field.required = not is_new

    def clean_on_deadline(self) -> str:
        """What happens to a run that misses a deadline; to warn unless the request says it."""
        return self.cleaned_data["on_deadline"] or OnDeadline.WARN

    def clean_overlap_policy(self) -> str:
        """The chosen policy, or the default of the type."""
        chosen: str = self.cleaned_data["overlap_policy"]
        return chosen or OverlapPolicy.default_for(self.cleaned_data.get("type"))

    def clean_catch_up(self) -> str:
        """The chosen way to catch up; the trigger's own if a form does not name it."""
        chosen: str = self.cleaned_data["catch_up"]
        return chosen or self.instance.catch_up

    def clean_prompt(self) -> str:
        return self._entered_text("prompt")

    def clean_description(self) -> str:
        return self._entered_text("description")

    def _entered_text(self, name: str) -> str:
        """The entered text, or the stored one if only line ends and outer spaces differ.

        Browsers change line ends, and the field strips the text.
        """
        entered: str = self.cleaned_data[name].replace("\r\n", "\n")
        stored: str = getattr(self.instance, name)
        return stored if stored.replace("\r\n", "\n").strip() == entered else entered

    def clean_enabled_tools(self) -> list[str] | None:
        """None for an empty field, but an empty list if another program stored one (no tools)."""
        names: list[str] = self.cleaned_data["enabled_tools"]
        return names or ([] if self.instance.enabled_tools == [] else None)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance._state.adding:
            self.instance.user_id = self.cleaned_data.get("user_id") or self.owner
            self.instance.check_quota()
        trigger = self.instance
        trigger.schedule_config = _merged(trigger.schedule_config, self._schedule_parts())
        trigger.event_config = _merged(trigger.event_config, self._event_parts())
        trigger.output_checks = _merged(trigger.output_checks, self._entered(CHECK_FIELDS))
        return cleaned

    def add_error(self, field: str | None, error: Any) -> None:
        """Show an error about a part of a map at the field of that part."""
        if field is not None or not hasattr(error, "error_dict"):
            super().add_error(field, error)
            return
        for name, errors in error.error_dict.items():
            for each in errors:
                if name in MAPS:
                    super().add_error(_field_of_part(name, each), _with_suggestion(each))
                else:
                    super().add_error(None if name == NON_FIELD_ERRORS else name, each)

    def save(self, commit: bool = True) -> Any:
        if "enabled" in self.changed_data:
            if self.instance.enabled:
                self.instance.enable()
            else:
                self.instance.disable()
        return super().save(commit)

    def _entered(self, fields: dict[str, str]) -> dict[str, Any]:
        """The entered values of a map, by part."""
        cleaned = self.cleaned_data
        return {part: cleaned[name] for part, name in fields.items() if name in cleaned}

    def _event_parts(self) -> dict[str, Any]:
        """The entered parts of the event's map; the pattern of a trigger that is chosen to follow.

        The page's script has filled it in. Without it, the pattern is as it was.
        """
        parts, changed = self._entered(EVENT_FIELDS), set(self.changed_data)
        chosen = self.cleaned_data.get("after_trigger")
        if not chosen or "event_pattern" in changed:
            return parts
        if not changed & {"after_trigger", "after_result"}:
            return parts
        kinds = self.cleaned_data.get("after_result") or ",".join(chains.ONLY_COMPLETED)
        pattern = chains.pattern_after(chosen, kinds.split(","))
        return {**parts, "eventSourceId": "", "eventPattern": pattern}

    def _schedule_parts(self) -> dict[str, Any]:
        """The entered parts of the schedule's map; dates get the offset of the entered zone.

        An unchanged date is left out: when clocks go back, two moments show the same wall time.
        """
        parts = self._entered(SCHEDULE_FIELDS)
        if set(PLAN_FIELDS) & set(self.changed_data):
            parts |= parts_of(self.cleaned_data)
        is_event = self.cleaned_data.get("type") == TriggerType.EVENT
        if self.instance._state.adding and is_event and not parts.get("expression"):
            # The script filled it in before the type was chosen.
            parts.pop("timezone", None)
        zone = _zone(parts.get("timezone"))
        for name in DATES:
            if parts.get(name) is None:
                continue
            field = SCHEDULE_FIELDS[name]
            if not {field, "timezone"} & set(self.changed_data):
                del parts[name]
                continue
            try:
                parts[name] = iso(parts[name].replace(tzinfo=zone))
            except OverflowError:
                self.add_error(field, _("This is beyond the calendar."))
                del parts[name]
        return parts


def _field_of_part(name: str, error: ValidationError) -> str:
    """The field that shows an error about a map."""
    fields, default = MAPS[name]
    if error.code in FIELDS_OF_CODES and name == "schedule_config":
        return FIELDS_OF_CODES[error.code]
    return fields.get((error.params or {}).get("part", ""), default)


def _with_suggestion(error: ValidationError) -> ValidationError:
    """The error with its suggestions in the message, with their descriptions if it needs them."""
    message = without_name(error.messages[0])
    params = error.params or {}
    suggestion, offered = params.get("suggestion"), params.get("suggestions", ())
    has_words = all("description" in offer for offer in offered)
    if has_words and (len(offered) > 1 or any("notes" in offer for offer in offered)):
        suggestion = _(" or ").join(map(offer_words, offered))
    if suggestion and suggestion not in message:
        message = _("%(reason)s Try %(suggestion)s") % {
            "reason": message,
            "suggestion": suggestion,
        }
    return ValidationError(message, code=error.code)


def _shown(config: Any) -> dict[str, Any]:
    """The parts of a map as the form shows them: dates as wall times in its zone."""
    if not isinstance(config, dict):
        return {}
    zone = _zone(config.get("timezone"))
    shown = {part: value for part, value in config.items() if part not in DATES}
    for name in DATES:
        moment = _date(config.get(name))
        if moment is not None:
            shown[name] = _wall_time(moment, zone)
    return shown


def form_values(config: dict[str, Any]) -> dict[str, Any]:
    """The values of the form's fields for the parts of a schedule's map, as JSON has them."""
    shown = _shown(config)
    found = {SCHEDULE_FIELDS[part]: value for part, value in shown.items() if part in DATES}
    dates = {name: value.isoformat()[:19] for name, value in found.items()}
    return shown_parts(shown) | dates


def _wall_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """The wall time in a zone; in UTC if the zone's would be out of the calendar."""
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return moment.replace(tzinfo=None)


def _merged(config: Any, entered: dict[str, Any]) -> dict[str, Any] | None:
    """The map with the entered parts; None if it is empty, unless it was stored as {}."""
    changed = dict(config) if isinstance(config, dict) else {}
    for part, value in entered.items():
        stored = changed.get(part)
        if _is_empty(value):
            if not _is_empty(stored):
                del changed[part]
        elif value != stored:
            changed[part] = value
    return changed if changed or config == {} else None


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [])


def _date(date: Any) -> datetime | None:
    """A date of the map in whole seconds, as the form shows it; None if it is invalid."""
    try:
        return parse_iso(date).replace(microsecond=0)
    except (TypeError, ValueError, OverflowError):
        return None


def _zone(name: Any) -> ZoneInfo:
    """The zone that the map names; UTC if it names none or the name is invalid."""
    try:
        return parse_zone(name) if name and isinstance(name, str) else ZoneInfo("UTC")
    except ExpressionError:
        return ZoneInfo("UTC")
