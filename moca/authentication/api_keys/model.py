"""The model of an API key, and what a key may do."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Layout
from moca.validation import one_line

# How many triggers one key can be limited to, and how long one of their ids may be.
MOST_TRIGGERS, MOST_ID = 50, 128


class Scope(models.TextChoices):
    """What a key may do. No scope includes another one."""

    READ = "read", gettext_lazy("Read: see triggers and runs")
    RUN = "run", gettext_lazy("Run: start, answer and cancel runs")
    WRITE = "write", gettext_lazy("Write: create, change and delete triggers")
    ADMIN = "admin", gettext_lazy("Admin: agents, alerts, budgets and the installation's pause")


def validate_scopes(value: Any) -> None:
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if not is_list or not value or set(value) - set(Scope.values) or len(set(value)) < len(value):
        raise ValidationError(
            _("Give one or more of %(scopes)s, each once.") % {"scopes": ", ".join(Scope.values)}
        )


def validate_trigger_ids(value: Any) -> None:
    is_list = isinstance(value, list) and len(value) <= MOST_TRIGGERS
    if not is_list or not all(isinstance(each, str) and 0 < len(each) <= MOST_ID for each in value):
        raise ValidationError(
            _("Give a list of at most %(most)s ids of triggers.") % {"most": MOST_TRIGGERS}
        )


class APIKey(VersionedModel):
    """A key of a user. The row has no part of the key's secret but its SHA-256.

    Deleting the row revokes the key.
    """

    id = models.CharField(primary_key=True, max_length=22, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    user_id = models.CharField("owner", max_length=128, editable=False)
    is_of_operator = models.BooleanField(
        default=False,
        editable=False,
        help_text="Such a key is refused once the operator is gone.",
    )
    name = models.CharField(max_length=60, validators=[one_line])
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    trigger_ids = models.JSONField(
        "triggers",
        default=list,
        blank=True,
        validators=[validate_trigger_ids],
        help_text=gettext_lazy("The only triggers that the key is for. Empty: all of its owner."),
    )
    expires_at = models.DateTimeField("end", null=True, blank=True)

    is_agent = models.BooleanField(
        "for an agent",
        default=False,
        help_text=gettext_lazy("An agent uses the key. What it creates is marked and limited."),
    )
    may_enable = models.BooleanField(
        default=False,
        help_text=gettext_lazy(
            "What the agent creates or changes fires at once, without a person who enables it."
        ),
    )
    min_interval_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(10_080)],
        help_text=gettext_lazy(
            "The least minutes between two runs of what the agent creates. Empty: the usual."
        ),
    )
    max_triggers = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text=gettext_lazy("How many triggers of the agent may exist. Empty: the usual."),
    )
    # How many triggers that agents created with this key exist.
    made_triggers = models.IntegerField(default=0, editable=False)

    created_at = models.DateTimeField("created", default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, editable=False)
    # Written once in LAST_USE_SECONDS at most.
    last_used_at = models.DateTimeField("last used", null=True, blank=True, editable=False)
    ttl = models.PositiveBigIntegerField(
        null=True, blank=True, editable=False, help_text="Epoch seconds after which the row goes."
    )

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("APIKEY", "{id}")

    class Meta:
        ordering = ["-id"]
        verbose_name = "API key"
        indexes = [models.Index(fields=["ttl"]), models.Index(fields=["user_id", "id"])]

    def __str__(self) -> str:
        return self.name

    @property
    def has_ended(self) -> bool:
        """Whether the key's end has come."""
        return self.expires_at is not None and self.expires_at <= timezone.now()
