"""Widgets of the form of a trigger."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.forms import Script
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from events import sources
from triggers.models import Trigger
from triggers.schedules import zone_names


class ScheduleInput(forms.TextInput):
    """A text input for an expression with a schedule builder; each updates the other."""

    template_name = "triggers/schedule_input.html"

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["triggers/schedule-input.css"]}
        js: ClassVar[list[Any]] = [
            Script("triggers/schedule-input.js", type="module"),
        ]


class ZoneInput(forms.TextInput):
    """A text input that suggests all time zones, each with its present UTC offset."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attrs = {**(attrs or {}), "list": f"{name}_names"}
        now = timezone.now()
        zones = ((zone, _offset(now, zone)) for zone in sorted(zone_names()))
        options = format_html_join("", '<option value="{}">{}</option>', zones)
        field = super().render(name, value, attrs, renderer)
        return format_html('{}<datalist id="{}_names">{}</datalist>', field, name, options)


# ZoneInfo caches eight zones only, and would read the files of all others for each form.
_zone = cache(ZoneInfo)


def _offset(now: datetime, zone: str) -> str:
    return now.astimezone(_zone(zone)).isoformat(timespec="minutes")[-6:]


class SourceSelect(forms.Select):
    """A choice of an event source or none; a chosen source that was deleted stays offered."""

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> Any:
        self.choices = list(self._offered(value[0] if value else ""))
        return super().optgroups(name, value, attrs)

    def _offered(self, chosen: str) -> Iterator[tuple[str, str]]:
        yield "", _("No source: events of a bus, by a pattern")
        known = sources.all_sources()
        for source in known:
            yield (
                source.pk,
                f"{source.name} ({source.pk})" if source.name != source.pk else source.pk,
            )
        if chosen and chosen not in {source.pk for source in known}:
            yield chosen, _("%(source)s: there is no such source any more") % {"source": chosen}


class TriggerSelect(forms.Select):
    """A choice of one of a user's triggers or none; one that was deleted stays offered.

    Attributes:
        owner: the user's id; empty offers none.
        without: the id of the trigger that is not offered.
    """

    owner = without = ""
    # The most that are offered: the newest ones.
    MOST = 500

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> Any:
        self.choices = list(self._offered(value[0] if value else ""))
        return super().optgroups(name, value, attrs)

    def _offered(self, chosen: str) -> Iterator[tuple[str, str]]:
        yield "", _("No trigger: other events")
        rows = Trigger.objects.of_user(self.owner).order_by("-pk").values_list("pk", "name")
        known = dict(rows[: self.MOST]) if self.owner else {}
        known.pop(self.without, None)
        yield from sorted(known.items(), key=lambda each: (each[1].lower(), each[0]))
        if chosen and chosen not in known:
            yield chosen, _("%(trigger)s: there is no such trigger any more") % {"trigger": chosen}
