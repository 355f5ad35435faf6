"""Pauses with a note and an end: of one trigger, and of the whole installation.

A pause stands beside `enabled`. Nothing has to happen for it to end: the scheduler knows the first
time after it. `end_due()` only counts what was left out and tidies the rows, a little later.
"""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _

from moca import audit
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.sentences import Reason
from moca.times import INSTANT, parse_local
from triggers import budgets
from triggers.failures import ALL_PAUSED, PAUSE_OVER, PAUSED, USER_PAUSED
from triggers.models import FOREVER, InstallationPause, Trigger
from triggers.models.pause import INSTALLATION

# How long a process relies on what it has read of the installation's pause.
CACHE_SECONDS = 5
CACHE_KEY = "moca.pauses.installation"
# How many pauses one call of `end_due()` ends, and how many left out runs it counts for each.
MOST_ENDED = 100
MOST_COUNTED = 1000
LONGEST = timedelta(days=366)
MORNING = time(9)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOUSEKEEPING = audit.system("pauses")


# When a pause ends


def parse_end(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Read when a pause is to end; None for "until somebody resumes it".

    Args:
        text: `30m`, `1h`, `2d`, `tomorrow`, `tomorrow 08:30`, `monday 09:00`, a date and time with
            or without an offset, or nothing. A day without a time means 09:00.
        now: the present.
        zone: the time zone of days and of times without an offset. A time that the clocks skip
            means the same moment as the one an hour later.

    Raises:
        ValidationError: it is no such text, the moment is past, or it is more than a year ahead.
    """
    text = text.strip()
    if not text:
        return None
    end = _after(text, now) or _on_day(text.lower(), now, zone) or _moment(text, zone)
    if end is None:
        raise ValidationError(
            _(
                "Give 30m, 1h, 2d, tomorrow 09:00, monday 09:00, or a date and time such as "
                "2027-01-31T09:00. Empty: until somebody resumes it."
            ),
            code="until",
        )
    if end <= now:
        raise ValidationError(_("This is past: choose a later moment."), code="past")
    if end > now + LONGEST:
        raise ValidationError(
            _("This is more than a year ahead: leave it empty to pause until somebody resumes it."),
            code="too_far",
        )
    return end


def _after(text: str, now: datetime) -> datetime | None:
    found = re.fullmatch(r"(\d{1,6})\s*([mhd])", text.lower())
    return now + int(found[1]) * UNITS[found[2]] if found else None


def _on_day(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    day, _space, clock = text.partition(" ")
    today = now.astimezone(zone)
    if day == "tomorrow":
        ahead = 1
    elif day in DAYS:
        ahead = (DAYS.index(day) - today.weekday()) % 7
    else:
        return None
    try:
        at = time.fromisoformat(clock.strip()) if clock.strip() else MORNING
    except ValueError:
        return None
    if at.tzinfo is not None:
        return None
    end = datetime.combine(today.date() + timedelta(days=ahead), at, zone).astimezone(UTC)
    if end <= now:
        following = today.date() + timedelta(days=ahead + 7)
        end = datetime.combine(following, at, zone).astimezone(UTC)
    return end


def _moment(text: str, zone: tzinfo) -> datetime | None:
    try:
        return parse_local(text, zone)
    except (ValueError, OverflowError):
        return None


def zone_of(trigger: Trigger) -> tzinfo:
    """The time zone in which people think of a trigger: its schedule's, or UTC."""
    schedule = trigger.schedule
    return schedule.zone if schedule else UTC


# Whether something may fire


def reason_not_to_fire(trigger: Trigger, due: datetime, now: datetime) -> Reason | None:
    """Why a pause forbids a run; None if none does.

    Args:
        trigger: the trigger.
        due: when the run was due, or the event came in.
        now: the present.
    """
    if trigger.leaves_out(due, now):
        return PAUSED()
    pause = _last_pause()
    if pause is not None and pause.leaves_out(due, now):
        return ALL_PAUSED()
    return wider_pause(trigger.user_id, now)


def wider_pause(user_id: str, now: datetime) -> Reason | None:
    """Why none of a user's triggers fires; None if they may.

    The whole installation is paused, or the budget of the user is used up.
    """
    if installation_pause(now):
        return ALL_PAUSED()
    budget = budgets.budget_of(user_id)
    return USER_PAUSED() if budget and budget.is_used_up(now) else None


def installation_pause(now: datetime) -> InstallationPause | None:
    """The pause of the whole installation; None if there is none.

    A process reads it every `CACHE_SECONDS` at most.
    """
    found = _last_pause()
    return found if found is not None and found.lasts(now) else None


def pause_that_is_over(now: datetime) -> InstallationPause | None:
    """The last pause of the whole installation, if it is over."""
    found = _last_pause()
    return found if found is not None and not found.lasts(now) else None


def _last_pause() -> InstallationPause | None:
    found = cache.get(CACHE_KEY)
    if found is None:
        found = InstallationPause.objects.filter(pk=INSTALLATION).first() or False
        cache.set(CACHE_KEY, found, CACHE_SECONDS)
    return found or None


@receiver([post_save, post_delete], sender=InstallationPause)
def forget(**_: Any) -> None:
    """Have this process read the pause again."""
    cache.delete(CACHE_KEY)


# The whole installation


def pause_installation(until: datetime | None, *, by: str, note: str = "") -> InstallationPause:
    """Keep every trigger from firing until a moment, or until a person resumes it.

    Args:
        until: when it ends; None for "until somebody resumes it".
        by: the operator's name, the user id of an API caller, or a command.
        note: why, for everybody who sees the pages.

    Raises:
        ValidationError: the note is too long.
    """
    now = timezone.now()
    with transaction.atomic():
        before = InstallationPause.objects.filter(pk=INSTALLATION).first()
        is_going_on = before is not None and before.lasts(now)
        pause = InstallationPause(
            paused_at=before.paused_at if before and is_going_on else now,
            paused_until=until or FOREVER,
            paused_by=by[:150],
            pause_note=note,
        )
        pause.clean_fields()
        InstallationPause.objects.replace(pause)
        _note_change(pause, before if is_going_on else None, pause, by=by)
    forget()
    return pause


def resume_installation(*, by: str, why: str = "") -> bool:
    """Let triggers fire again; False if the installation is not paused."""
    with transaction.atomic():
        pause = InstallationPause.objects.filter(pk=INSTALLATION).first()
        if pause is None or pause.is_noted:
            return False
        same = InstallationPause.objects.filter(pk=INSTALLATION, paused_until=pause.paused_until)
        end = max(pause.paused_at, min(pause.paused_until, timezone.now()))
        if not same.update(paused_until=end, paused_by="", pause_note=""):
            raise ConflictError("Somebody else has just changed the pause: look again.")
        _note_change(pause, pause, None, by=by, why=why)
    forget()
    return True


def _note_change(
    row: InstallationPause,
    before: InstallationPause | None,
    after: InstallationPause | None,
    *,
    by: str,
    why: str = "",
) -> None:
    """Write the audit entry of a change of the installation's pause."""
    names = ("paused_at", "paused_until", "pause_note")
    changes = {
        name: [getattr(before, name, None) or "", getattr(after, name, None) or ""]
        for name in names
    }
    changed = {name: values for name, values in changes.items() if values[0] != values[1]}
    audit.note(AuditEntry.Action.UPDATED, row, by=by, why=why, changes=changed)


# Pauses that are over


def end_due(now: datetime) -> None:
    """End the pauses that are over: note what they left out, and remove them from their rows.

    The triggers fire already. Schedules stay as they are, since what is due at the end of the pause
    may be about to fire.
    """
    for trigger in list(Trigger.objects.over(now)[:MOST_ENDED]):
        until = trigger.paused_until or now
        since = trigger.paused_at or until
        row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk, paused_until=until)
        with transaction.atomic():
            if row.update(paused_at=None, paused_until=None, paused_by="", pause_note=""):
                note_left_out(trigger, since, until)
                changes = {"paused_until": [until, ""]}
                _note_over(trigger, until, changes)
    pause = InstallationPause.objects.filter(pk=INSTALLATION, paused_until__lte=now).first()
    if pause is not None and not pause.is_noted:
        resume_installation(by=HOUSEKEEPING, why=_over(pause.paused_until))


def note_left_out(
    trigger: Trigger, since: datetime, end: datetime, reason: Reason | None = None
) -> None:
    """Note on a trigger the runs that a pause left out, which were due from `since` to `end`.

    Args:
        trigger: the trigger.
        since: the start of the pause, or a later moment.
        end: the end of the pause.
        reason: None for a pause of the trigger itself.
    """
    if not trigger.enabled:
        return
    runs = [run for run in trigger.next_runs(since - INSTANT, MOST_COUNTED) if run < end]
    if runs:
        trigger.note_skip(reason or PAUSED(), runs[-1], len(runs))


def follow_change(trigger: Trigger, now: datetime) -> None:
    """Note what a pause has left out, if a save of the trigger has just ended it."""
    since, until = trigger.loaded_value("paused_at"), trigger.loaded_value("paused_until")
    if since and until and trigger.paused_at != since:
        stored = Trigger.from_db(None, list(trigger._loaded), list(trigger._loaded.values()))
        note_left_out(stored, since, min(until, now))


def _note_over(trigger: Trigger, until: datetime, changes: dict[str, list[Any]]) -> None:
    audit.note(
        AuditEntry.Action.UPDATED, trigger, by=HOUSEKEEPING, why=_over(until), changes=changes
    )


def _over(until: datetime) -> Reason:
    return PAUSE_OVER(time=f"{until:%Y-%m-%d %H:%M}")
