"""How the pages show times to an operator: relative, in UTC or in the operator's time zone.

A cookie keeps the choice. The server shows the local times, because the time zone data of a browser
may be years old. Only the name of the time zone comes from the browser.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from django.db.models import TextChoices
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from moca.display import exact
from moca.times import iso
from triggers.schedules import parse_zone

COOKIE = "times"


class Form(TextChoices):
    """The forms of times that an operator can choose."""

    RELATIVE = "relative", _("Relative")
    UTC = "utc", _("UTC")
    LOCAL = "local", _("Local")


@dataclass(frozen=True, slots=True)
class Times:
    """The chosen form.

    Attributes:
        form: relative, UTC or local.
        zone: the time zone of exact times. None if each schedule shows its own.
    """

    form: Form = Form.RELATIVE
    zone: tzinfo | None = None

    @property
    def is_relative(self) -> bool:
        return self.form == Form.RELATIVE

    @property
    def cookie(self) -> str:
        """The choice as the cookie keeps it."""
        return f"{self.form.value}:{self.zone or ''}"

    def exact(self, moment: datetime, zone: tzinfo = UTC) -> str:
        """A moment in the chosen time zone, or in `zone` if none is chosen."""
        return exact(moment, self.zone or zone)

    def words(self, moment: datetime, away: str, zone: tzinfo = UTC) -> str:
        """A moment in the chosen form, given how far away it is."""
        return away if self.is_relative else self.exact(moment, zone)

    def other_words(self, moment: datetime, away: str, zone: tzinfo = UTC) -> str:
        """A moment in the form that was not chosen."""
        return self.exact(moment, zone) if self.is_relative else away

    def tag(self, moment: datetime, away: str, zone: tzinfo = UTC) -> SafeString:
        """A moment in the chosen form. The tooltip has the other form."""
        return format_html(
            '<time datetime="{}" title="{}">{}</time>',
            iso(moment),
            self.other_words(moment, away, zone),
            self.words(moment, away, zone),
        )


def parse_times(form: str, zone: str) -> Times:
    """The choice of a form and, for local times, the name of a time zone.

    Raises ValueError if there is no such form or time zone.
    """
    chosen = Form(form)
    if chosen == Form.LOCAL:
        return Times(chosen, parse_zone(zone))
    return Times(chosen, UTC if chosen == Form.UTC else None)


def times_of(request: HttpRequest) -> Times:
    """The operator's choice. Relative if there is no valid one."""
    return _of_cookie(request.COOKIES.get(COOKIE, ""))


@lru_cache(maxsize=256)
def _of_cookie(text: str) -> Times:
    form, _colon, zone = text[:128].partition(":")
    try:
        return parse_times(form, zone)
    except ValueError:
        return Times()
