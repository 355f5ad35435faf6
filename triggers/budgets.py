"""Budgets: what runs cost, what was spent in a day and a month, and the pause of what is over.

The end of a run adds to one row per owner that has a budget, and to none otherwise. Owners are
triggers and users.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as clock_time
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from alerts.outbox import Happening, tell
from moca import audit
from moca.concurrency import ConflictError, rewrite
from moca.kept import Kept
from moca.retry import retry
from moca.sentences import Part, Reason
from triggers.failures import (
    A_DAY,
    A_MONTH,
    BUDGET_NEARLY_USED_UP,
    BUDGET_USED_UP,
    MONEY,
    TOKENS,
    USER_NEARLY_USED_UP,
    USER_USED_UP,
)
from triggers.models import Limit, Price, Spending, Trigger, UserBudget
from triggers.models.budget import MILLION, Period
from triggers.schedules import parse_zone

# For how long a process uses the prices and the users' budgets that it has read.
KEPT_SECONDS = 20.0
# The prices and the users' budgets that count.
MOST_ROWS = 1000
# How long the counts of a day are kept.
LIFE = timedelta(days=100)
# The share of a limit from which people are warned, in percent.
WARN_AT = 80
SYSTEM = audit.system("budgets")


# Prices and users' budgets


@dataclass(frozen=True, slots=True)
class _Known:
    prices: Mapping[str, Price]
    budgets: Mapping[str, UserBudget]


_NOTHING = _Known({}, {})


def _read() -> _Known:
    return _Known(
        {price.pk: price for price in Price.objects.all()[:MOST_ROWS]},
        {budget.pk: budget for budget in UserBudget.objects.all()[:MOST_ROWS]},
    )


_entered = Kept(_read, KEPT_SECONDS)


def forget() -> None:
    """Have this process read prices and users' budgets again."""
    _entered.forget()


def know_none() -> None:
    """Have this process know, for KEPT_SECONDS, that there are none; for tests."""
    _entered.put(_NOTHING)


@receiver([post_save, post_delete], sender=Price)
@receiver([post_save, post_delete], sender=UserBudget)
def _forget(**_: Any) -> None:
    forget()


def budget_of(user_id: str) -> UserBudget | None:
    """The budget of a user, at most KEPT_SECONDS old; None if there is none."""
    return _entered.get().budgets.get(user_id)


def used_up(now: datetime) -> list[UserBudget]:
    """The users' budgets that are used up, at most KEPT_SECONDS old."""
    return [budget for budget in _entered.get().budgets.values() if budget.is_used_up(now)]


def price_of(*names: str) -> Price | None:
    """The price of the first of the names that has one; None if none has.

    Args:
        names: of the model and then of the agent; an empty name has no price.
    """
    prices = _entered.get().prices
    return next((prices[name] for name in names if name in prices), None)


def has_prices() -> bool:
    """Whether operators have entered any price."""
    return bool(_entered.get().prices)


def cost_of(usage: Any, *names: str) -> Decimal | None:
    """What a run cost, in the currency of the installation; None if no price is known.

    Args:
        usage: the usage of a run as the API returns it, with `inputTokens` and so on.
        names: as for `price_of()`.
    """
    price = price_of(*names)
    return None if price is None else Decimal(micros_of(usage, price)) / MILLION


def micros_of(usage: Any, price: Price) -> int:
    """What a run cost by a price, in millionths of the currency."""
    names = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
    return price.cost(*(_count(usage, name) for name in names))


def tokens_of(usage: Any) -> int:
    """The tokens of a run that count towards budgets: those that were read and written."""
    return _count(usage, "inputTokens") + _count(usage, "outputTokens")


def _count(usage: Any, name: str) -> int:
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if isinstance(found, int) and found > 0 else 0


# Owners and their periods


@dataclass(frozen=True, slots=True)
class Owner:
    """A trigger or a user that has a budget.

    Attributes:
        key: identifies it in the rows of what was spent.
        limits: the limits of a day and a month.
        zone: the time zone in which days and months begin.
    """

    key: str
    limits: list[Limit]
    zone: tzinfo

    @classmethod
    def trigger(cls, trigger: Trigger) -> "Owner | None":
        """A trigger as an owner; None if it has no budget."""
        limits = trigger.limits
        if not limits:
            return None
        schedule = trigger.schedule
        return cls(f"trigger:{trigger.pk}", limits, schedule.zone if schedule else UTC)

    @classmethod
    def user(cls, budget: UserBudget) -> "Owner":
        """A user as an owner."""
        return cls(f"user:{budget.pk}", budget.limits, parse_zone(budget.timezone))


def owners(trigger: Trigger | None, user_id: str) -> list[Owner]:
    """Those whose budgets a run counts for: its trigger, and the trigger's user."""
    found = [Owner.trigger(trigger)] if trigger else []
    budget = budget_of(user_id)
    return [owner for owner in [*found, Owner.user(budget) if budget else None] if owner]


def key_of(period: Period, moment: datetime, zone: tzinfo) -> str:
    """The name of a day or a month: `2027-01-31` or `2027-01`."""
    day = moment.astimezone(zone).date().isoformat()
    return day if period == "day" else day[:7]


def end_of(period: Period, moment: datetime, zone: tzinfo) -> datetime:
    """When the day or the month of a moment ends: the next midnight in the zone, in UTC.

    If the clocks skip that midnight, it is the moment at which they do.
    """
    day = moment.astimezone(zone).date()
    if period == "day":
        following = day + timedelta(days=1)
    else:
        following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return datetime.combine(following, clock_time.min, zone).astimezone(UTC)


# What was spent


@dataclass(frozen=True, slots=True)
class Standing:
    """How a limit stands at a moment.

    Attributes:
        limit: the limit.
        spent: what was spent, in tokens or millionths of the currency.
        resets_at: when its day or month ends.
        row: the row that notes what was done about the limit; None if there is none yet.
    """

    limit: Limit
    spent: int
    resets_at: datetime
    row: Spending | None = None

    @property
    def percent(self) -> int:
        """What was spent of the limit, in percent, rounded down."""
        return 100 * self.spent // self.limit.most

    @property
    def is_used_up(self) -> bool:
        return self.spent >= self.limit.most

    @property
    def is_nearly_used_up(self) -> bool:
        return self.percent >= WARN_AT

    def noted(self, what: str) -> int:
        """The limit for which `warned` or `used_up` is noted; 0 if for none."""
        return int(getattr(self.row, f"{what}_{self.limit.unit}", 0))


def standings(owner: Owner, now: datetime) -> list[Standing]:
    """How the limits of an owner stand: one read of at most 32 small rows."""
    month = key_of("month", now, owner.zone)
    mine = Spending.objects.filter(owner=owner.key, pk__startswith=f"{owner.key}#{month}")
    rows = {row.pk: row for row in mine}
    found = []
    for limit in owner.limits:
        name = f"{owner.key}#{key_of(limit.period, now, owner.zone)}"
        counted = rows.values() if limit.period == "month" else filter(None, [rows.get(name)])
        spent = sum(getattr(row, limit.unit) for row in counted)
        found.append(Standing(limit, spent, end_of(limit.period, now, owner.zone), rows.get(name)))
    return found


def add(owner: Owner, tokens: int, micros: int, at: datetime) -> None:
    """Count what a run took, on the day of its end: one write, which loses no other's.

    Args:
        owner: a trigger or a user.
        tokens: the tokens.
        micros: the money, in millionths of the currency.
        at: when the run ended.

    Raises:
        OperationalError, InterfaceError: the database is away.
    """
    name = f"{owner.key}#{key_of('day', at, owner.zone)}"
    first = _row(owner, name, at, tokens=tokens, cost=micros)
    counts: dict[str, Any] = {"tokens": F("tokens") + tokens, "cost": F("cost") + micros}
    mine = Spending.objects.filter(owner=owner.key, pk=name)
    retry(lambda: mine.update_expected(missing=first, **counts), on=ConflictError)


def _row(owner: Owner, name: str, at: datetime, **counts: int) -> Spending:
    ttl = int((at + LIFE).timestamp())
    return Spending(pk=name, owner=owner.key, ttl=ttl, **counts)


# What is done about it


def judge(trigger: Trigger | None, user_id: str, now: datetime) -> None:
    """Warn of budgets that are nearly used up, and pause what has used up its own.

    Each is done once for a day or month and a limit, whoever resumes what is paused.

    Args:
        trigger: the trigger of a run that has ended; None if it was deleted.
        user_id: its user.
        now: the present.

    Raises:
        OperationalError, InterfaceError: the database is away.
        ConflictError: others keep writing the same rows. The next run judges again.
    """
    owner = Owner.trigger(trigger) if trigger else None
    if trigger and owner:
        for standing, what in _news(standings(owner, now)):
            _about_trigger(trigger, owner, standing, what, now)
    if budget := budget_of(user_id):
        owner = Owner.user(budget)
        for standing, what in _news(standings(owner, now)):
            _about_user(budget, owner, standing, what, now)


def _news(found: list[Standing]) -> Iterator[tuple[Standing, str]]:
    for standing in found:
        if standing.is_used_up:
            if standing.noted("used_up") != standing.limit.most:
                yield standing, "used_up"
        elif standing.is_nearly_used_up and standing.noted("warned") != standing.limit.most:
            yield standing, "warned"


def _about_trigger(
    trigger: Trigger, owner: Owner, standing: Standing, what: str, now: datetime
) -> None:
    end = standing.resets_at
    code = BUDGET_USED_UP if what == "used_up" else BUDGET_NEARLY_USED_UP
    reason = code(**_parts(standing, owner.zone))
    row = Trigger(user_id=trigger.user_id, pk=trigger.pk)

    def write() -> None:
        # Somebody may have changed the budget during the run.
        if standing.limit not in row.limits or not _note(owner, standing, what, now):
            return
        is_longer = row.is_paused(now) and row.paused_until and row.paused_until >= end
        if what == "used_up" and row.enabled and not is_longer:
            row.pause(now, end, by=SYSTEM, note=str(reason))
            audit.save(row, by=SYSTEM, why=reason, covered=True)
        key = f"{owner.key} {what} {standing.limit} {end}"
        params: dict[str, Part] = {"number": standing.percent, "reason": reason}
        tell(Happening.OVER_BUDGET, trigger=row, params=params, key=key)

    try:
        rewrite(row, write)
    except Trigger.DoesNotExist:
        return


def _about_user(
    budget: UserBudget, owner: Owner, standing: Standing, what: str, now: datetime
) -> None:
    end = standing.resets_at
    code = USER_USED_UP if what == "used_up" else USER_NEARLY_USED_UP
    reason = code(user=budget.pk, **_parts(standing, owner.zone))
    row = UserBudget(pk=budget.pk)

    def write() -> None:
        if standing.limit not in row.limits or not _note(owner, standing, what, now):
            return
        if what == "used_up" and (row.used_up_until is None or row.used_up_until < end):
            row.used_up_until = end
            audit.save(row, by=SYSTEM, why=reason, covered=True)
        key = f"{owner.key} {what} {standing.limit} {end}"
        params: dict[str, Part] = {"name": row.pk, "number": standing.percent, "reason": reason}
        tell(Happening.OVER_BUDGET, user_id=budget.pk, params=params, key=key)

    try:
        rewrite(row, write)
    except UserBudget.DoesNotExist:
        return


def _note(owner: Owner, standing: Standing, what: str, now: datetime) -> bool:
    """Note in the open transaction what is done; False if it has been done.

    Raises:
        ConflictError: another process has just noted it.
    """
    name = f"{owner.key}#{key_of(standing.limit.period, now, owner.zone)}"
    field, most = f"{what}_{standing.limit.unit}", standing.limit.most
    mine = Spending.objects.filter(owner=owner.key, pk=name)
    row = mine.first()
    if row is None:
        try:
            _row(owner, name, now, **{field: most}).save(force_insert=True)
        except IntegrityError as error:
            raise ConflictError(str(error)) from error
        return True
    before = getattr(row, field)
    if before == most:
        return False
    if not mine.filter(**{field: before}).update(**{field: most}):
        raise ConflictError("Another process has just noted it.")
    return True


def _parts(standing: Standing, zone: tzinfo) -> dict[str, Part]:
    limit = standing.limit
    return {
        "spent": amount(limit.unit, standing.spent),
        "most": amount(limit.unit, limit.most),
        "period": A_DAY() if limit.period == "day" else A_MONTH(),
        "end": f"{standing.resets_at.astimezone(zone):%Y-%m-%d %H:%M} {zone}",
    }


def amount(unit: str, number: int) -> Reason:
    """A number of tokens, or of millionths of the currency, in words."""
    if unit == "tokens":
        return TOKENS(number=bare(unit, number))
    return MONEY(number=bare(unit, number), currency=settings.BUDGET_CURRENCY)


def bare(unit: str, number: int) -> str:
    """The same without the word behind it."""
    return f"{number:,}" if unit == "tokens" else money(number)


def money(micros: int) -> str:
    """Millionths of the currency as a person reads them: 12.50, or 0.0123."""
    value = Decimal(micros) / MILLION
    if value and value < 1:
        # Two digits that are not 0.
        places = min(6, 1 - value.adjusted())
        return f"{value:.{max(2, places)}f}"
    return f"{value:,.2f}"


def resume_user(user_id: str, *, by: str) -> bool:
    """Let the triggers of a user fire again until another limit or period is used up.

    Returns:
        False if they fire.

    Raises:
        UserBudget.DoesNotExist: the user has no budget.
        ConflictError: others keep changing it.
    """
    row = UserBudget(pk=user_id)

    def write() -> bool:
        if not row.is_used_up(timezone.now()):
            return False
        row.used_up_until = None
        return audit.save(row, by=by, covered=True)

    return rewrite(row, write)
