"""Budgets of triggers and users, prices of models and agents, and what was spent.

Money is in the installation's currency (BUDGET_CURRENCY). Counters have whole millionths of it, so
that databases add them without rounding.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Layout
from moca.validation import one_line
from triggers.schedules import parse_zone

MILLION = 1_000_000
MAX_TOKENS = 10**15
MAX_MONEY = 10.0**9

Period = Literal["run", "day", "month"]
Unit = Literal["tokens", "cost"]


def above_zero(money: float) -> None:
    """Raise ValidationError for less than a millionth of the currency."""
    if not money >= 1 / MILLION:
        raise ValidationError(_("Give more than 0, or nothing for no limit."), code="too_small")


def tokens_field(**options: Any) -> Any:
    """A field for the most tokens; empty for no limit."""
    limits = [MinValueValidator(1), MaxValueValidator(MAX_TOKENS)]
    return models.PositiveBigIntegerField(null=True, blank=True, validators=limits, **options)


def money_field(**options: Any) -> Any:
    """A field for the most money; empty for no limit."""
    limits: list[Any] = [above_zero, MaxValueValidator(MAX_MONEY)]
    return models.FloatField(null=True, blank=True, validators=limits, **options)


def price_field(**options: Any) -> Any:
    """A field for the price of a million tokens."""
    limits = [MinValueValidator(0.0), MaxValueValidator(MAX_MONEY)]
    return models.FloatField(default=0.0, blank=True, validators=limits, **options)


def check_zone(name: str) -> None:
    """Raise ValidationError if there is no such time zone."""
    try:
        parse_zone(name)
    except ValueError as error:
        raise ValidationError(str(error), code="timezone") from error


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a budget.

    Attributes:
        period: the run, day or month that it is for.
        unit: `tokens`, or `cost` for millionths of the currency.
        most: how much may be spent.
    """

    period: Period
    unit: Unit
    most: int


class Budgeted(models.Model):
    """A row with limits of what may be spent in a day and a month."""

    max_tokens_per_day = tokens_field(
        help_text=_("Tokens a day, read and written. Once used up, it pauses until the next day.")
    )
    max_tokens_per_month = tokens_field(
        help_text=_("Tokens a month. Once used up, it pauses until the next month.")
    )
    max_cost_per_day = money_field(
        help_text=_("Money a day, by the prices that operators have entered.")
    )
    max_cost_per_month = money_field(
        help_text=_("Money a month, by the prices that operators have entered.")
    )

    class Meta:
        abstract = True

    @property
    def limits(self) -> list[Limit]:
        """The limits of a day and a month that are set."""
        return _limits(self, ("day", "month"))


def _limits(row: Any, periods: tuple[Period, ...]) -> list[Limit]:
    found = []
    for period in periods:
        if tokens := getattr(row, f"max_tokens_per_{period}"):
            found.append(Limit(period, "tokens", tokens))
        if cost := getattr(row, f"max_cost_per_{period}"):
            found.append(Limit(period, "cost", round(cost * MILLION)))
    return found


class BudgetedTrigger(Budgeted):
    """The limits of a trigger, which may have one for each run as well."""

    max_tokens_per_run = tokens_field(
        help_text=_("Tokens of one run, read and written. A run that takes more is cancelled.")
    )
    max_cost_per_run = money_field(
        help_text=_("Money for one run, by the prices that operators have entered.")
    )

    class Meta:
        abstract = True

    @property
    def run_limits(self) -> list[Limit]:
        """The limits of each run that are set."""
        return _limits(self, ("run",))


class UserBudget(Budgeted, VersionedModel):
    """What all triggers of a user may spend together."""

    user_id = models.CharField(_("user"), primary_key=True, max_length=128, validators=[one_line])
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        default="UTC",
        validators=[check_zone],
        help_text=_("Days and months begin at midnight there."),
    )
    # Until when the user's triggers do not fire, since a limit is used up.
    used_up_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ExpectingQuerySet.as_manager()

    dynamodb = Layout("USERBUDGET", "{user_id}")

    class Meta:
        ordering = ["user_id"]
        verbose_name = "user's budget"

    def __str__(self) -> str:
        return self.user_id

    def clean(self) -> None:
        """Raise ValidationError if no limit is set."""
        if not self.limits:
            raise ValidationError(
                _("Give at least one limit, or delete the budget."), code="no_limit"
            )

    def is_used_up(self, moment: Any) -> bool:
        """Whether the user's triggers do not fire."""
        return self.used_up_until is not None and self.used_up_until > moment


class Price(VersionedModel):
    """What a million tokens cost of a model, or of an agent whose model nobody names."""

    id = models.CharField(
        _("model or agent"),
        primary_key=True,
        max_length=200,
        validators=[one_line],
        help_text=_("The model as triggers and agents name it; or the id of an agent."),
    )
    input_price = price_field(help_text=_("For a million tokens that the model reads."))
    output_price = price_field(help_text=_("For a million tokens that the model writes."))
    cache_read_price = price_field(
        help_text=_("For a million tokens that the model reads from its cache.")
    )
    cache_write_price = price_field(
        help_text=_("For a million tokens that the model writes to its cache.")
    )
    input_has_cached = models.BooleanField(
        default=False,
        help_text=_(
            "Whether the agent counts cached tokens among the input as well, as agents of OpenAI "
            "and Gemini do. Those of Bedrock and Anthropic do not."
        ),
    )
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ExpectingQuerySet.as_manager()

    dynamodb = Layout("PRICE", "{id}")

    class Meta:
        ordering = ["id"]
        verbose_name = "price"

    def __str__(self) -> str:
        return self.pk

    def clean(self) -> None:
        """Raise ValidationError if all prices are 0."""
        prices = (self.input_price, self.output_price, self.cache_read_price)
        if not any((*prices, self.cache_write_price)):
            raise ValidationError(_("Give at least one price above 0."), code="no_price")

    def cost(self, given: int, made: int, cache_read: int, cache_write: int) -> int:
        """What tokens cost, in millionths of the currency."""
        if self.input_has_cached:
            given = max(0, given - cache_read - cache_write)
        return round(
            given * self.input_price
            + made * self.output_price
            + cache_read * self.cache_read_price
            + cache_write * self.cache_write_price
        )


class Spending(models.Model):
    """What the runs of a trigger or a user spent on a day.

    The row of a month, whose id ends with it, has no counts: it notes what was done about the
    limits of the month, as the row of a day does about the limits of the day.
    """

    id = models.CharField(primary_key=True, max_length=200)
    # `trigger:` or `user:`, and the id.
    owner = models.CharField(max_length=140)
    tokens = models.BigIntegerField(default=0)
    # In millionths of the currency.
    cost = models.BigIntegerField(default=0)
    # The limits that were nearly or wholly used up when that was told, so that it is told once.
    warned_tokens = models.BigIntegerField(default=0)
    warned_cost = models.BigIntegerField(default=0)
    used_up_tokens = models.BigIntegerField(default=0)
    used_up_cost = models.BigIntegerField(default=0)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("SPENT#{owner}", "{id}")

    class Meta:
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.id
