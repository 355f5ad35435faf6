"""The models of alerts: channels, rules, the outbox, what rules gather, and deliveries."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alerts import validation
from alerts.happenings import DEFAULTS, Happening
from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Index, Layout
from moca.ids import new_id
from moca.reasons import CodeField, ParamsField
from moca.validation import one_line

# How long happenings and deliveries are kept.
KEPT = timedelta(days=14)


class ChannelKind(models.TextChoices):
    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Signed webhook")
    APPRISE = "apprise", _("Slack, Teams and others (Apprise)")


class Language(models.TextChoices):
    EN = "en", "English"
    JA = "ja", "日本語"


class Channel(VersionedModel):
    """A way to people or programs: e-mail addresses, a webhook, or a service that Apprise knows.

    Only admins write channels, which say where data of this installation goes.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    name = models.CharField(_("name"), max_length=200, validators=[one_line])
    kind = models.CharField(_("kind"), max_length=10, choices=ChannelKind)
    recipients = models.TextField(
        _("e-mail addresses"), blank=True, validators=[validation.check_recipients]
    )
    url = models.CharField(_("address"), max_length=2000, blank=True, validators=[one_line])
    # An Apprise URL, or the secret that signs webhooks. Sealed, as those of event sources.
    secrets = models.JSONField(default=list, blank=True)
    language = models.CharField(_("language"), max_length=5, choices=Language, default=Language.EN)
    enabled = models.BooleanField(_("switched on"), default=True)
    # Why the product has switched it off.
    off_reason = models.TextField(blank=True, editable=False)
    off_reason_code, off_reason_params = CodeField(), ParamsField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ExpectingQuerySet.as_manager()

    dynamodb = Layout("CHANNEL", "{id}")

    class Meta:
        ordering = ["id"]
        verbose_name = "channel"

    def __str__(self) -> str:
        return self.name

    @property
    def target(self) -> str:
        """The address of the channel as pages show it, without what could be a secret."""
        if self.kind == ChannelKind.EMAIL:
            return self.recipients
        parts = urlsplit(self.url)
        if self.kind == ChannelKind.APPRISE or not parts.hostname:
            return self.url
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}/…"

    def clean(self) -> None:
        """Validate fields that depend on each other.

        Raises:
            ValidationError: has the errors by field.
        """
        self.recipients = " ".join(validation.split_recipients(self.recipients))
        if self.kind == ChannelKind.EMAIL and not self.recipients:
            reason = _("Enter at least one address.")
            raise ValidationError({"recipients": ValidationError(reason, "missing")})
        if self.kind == ChannelKind.WEBHOOK:
            try:
                validation.check_url(self.url)
            except ValidationError as error:
                raise ValidationError({"url": error}) from error


def default_kinds() -> list[str]:
    """The happenings of a new rule."""
    return [str(kind) for kind in DEFAULTS]


def check_kinds(value: Any) -> None:
    """Refuse a list that has anything but happenings.

    Raises:
        ValidationError: says which values are allowed.
    """
    if not isinstance(value, list) or not value or set(map(str, value)) - set(Happening.values):
        raise ValidationError(
            _("Choose at least one of %(kinds)s.") % {"kinds": ", ".join(Happening.values)}
        )


class Rule(VersionedModel):
    """Says which happenings of which triggers a channel gets, and how often it gets a message."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    name = models.CharField(_("name"), max_length=200, validators=[one_line])
    channel_id = models.CharField(_("channel"), max_length=36)
    enabled = models.BooleanField(_("switched on"), default=True)
    # Without a tag and a trigger, the rule is about all triggers and about the installation.
    tag = models.CharField(_("tag"), max_length=100, blank=True, validators=[one_line])
    trigger_id = models.CharField(_("trigger"), max_length=36, blank=True)
    kinds = models.JSONField(_("happenings"), default=default_kinds, validators=[check_kinds])
    after_failures = models.PositiveIntegerField(
        _("after failures in a row"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
    )
    # At most one message in so many minutes for each trigger.
    pause_minutes = models.PositiveIntegerField(
        _("minutes between messages"), default=60, validators=[MaxValueValidator(1440)]
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    quiet_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validation.check_zone]
    )
    includes_output = models.BooleanField(
        _("include the start of the agent's output"), default=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ExpectingQuerySet.as_manager()

    dynamodb = Layout("ALERTRULE", "{id}")

    class Meta:
        ordering = ["id"]
        verbose_name = "alert rule"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Validate fields that depend on each other.

        Raises:
            ValidationError: has the errors by field.
        """
        found: dict[str, Any] = {}
        if self.tag and self.trigger_id:
            reason = _("Choose a tag or one trigger, not both.")
            found["trigger_id"] = ValidationError(reason, "both")
        if (self.quiet_from is None) != (self.quiet_until is None):
            empty = "quiet_until" if self.quiet_until is None else "quiet_from"
            found[empty] = ValidationError(_("Enter both times, or none."), "missing")
        if found:
            raise ValidationError(found)


class HappenedState(models.TextChoices):
    """The state of a happening. `done`: each rule that wants it has gathered it."""

    WAITING = "waiting"
    DONE = "done"


class HappenedQuerySet(ExpectingQuerySet["Happened"]):
    def waiting(self) -> Self:
        """Select the happenings that no process has gathered, the oldest first."""
        return self.filter(state=HappenedState.WAITING).order_by("at")


class Happened(models.Model):
    """A row of the outbox: one happening that at least one rule wants.

    It is written in the transaction in which it happens. Its id is made from the key that its
    producer gives, so that it is told once.
    """

    id = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(max_length=20, choices=Happening)
    user_id = models.CharField(max_length=128, blank=True)
    trigger_id = models.CharField(max_length=36, blank=True)
    trigger_name = models.CharField(max_length=200, blank=True)
    execution_id = models.CharField(max_length=36, blank=True)
    # Numbers, texts, and reasons by their code.
    params = models.JSONField(default=dict, blank=True)
    # The start of the agent's output, if a rule includes it.
    output = models.TextField(blank=True)
    at = models.DateTimeField()
    # The ids of the rules that want it.
    rules = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=HappenedState, default=HappenedState.WAITING)
    # How many times it was told by the same key.
    times = models.PositiveIntegerField(default=0)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = HappenedQuerySet.as_manager()

    dynamodb = Layout(
        "HAPPENED#{id}",
        "HAPPENED",
        indexes=[Index("GSI4", "HAPPENED", "{at}", when={"state": HappenedState.WAITING})],
    )

    class Meta:
        indexes = [models.Index(fields=["state", "at"]), models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.trigger_id}"


class BundleQuerySet(ExpectingQuerySet["Bundle"]):
    def due(self, now: datetime) -> Self:
        """Select the bundles whose message is due, the longest due first."""
        return self.filter(due_at__lte=now).order_by("due_at")


class Bundle(models.Model):
    """What a rule has gathered for its next message, and whom it has told about lately.

    A flood thus becomes one message. Each write has the condition that `changes` is as it was read.
    """

    rule_id = models.CharField(primary_key=True, max_length=36)
    # What is gathered; see `alerts.gather`.
    held = models.JSONField(default=dict, blank=True)
    # By trigger, the epoch seconds of the last message about it.
    told = models.JSONField(default=dict, blank=True)
    # When the message is due; None if nothing is gathered.
    due_at = models.DateTimeField(null=True)
    changes = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[Any] = BundleQuerySet.as_manager()

    dynamodb = Layout("BUNDLE#{rule_id}", "BUNDLE", indexes=[Index("GSI4", "BUNDLE", "{due_at}")])

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.rule_id


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("Waits")
    SENT = "sent", _("Delivered")
    UNDELIVERED = "undelivered", _("Undelivered")


class DeliveryQuerySet(ExpectingQuerySet["Delivery"]):
    def due(self, now: datetime) -> Self:
        """Select the deliveries whose next try is due, the longest due first."""
        waiting = self.filter(state=DeliveryState.WAITING, next_at__lte=now)
        return waiting.order_by("next_at")


class Delivery(models.Model):
    """One message to a channel. All its tries have its id. A test message has no rule."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    rule_id = models.CharField(max_length=36)
    rule_name = models.CharField(max_length=200)
    channel_id = models.CharField(max_length=36)
    channel_name = models.CharField(max_length=200)
    state = models.CharField(
        _("state"), max_length=15, choices=DeliveryState, default=DeliveryState.WAITING
    )
    # How many happenings it tells.
    number = models.PositiveIntegerField(default=0)
    # What it says; see `alerts.gather`. `isTest` is all that a test message has here.
    contents = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=timezone.now)
    # When the tries of the present day of retries began.
    first_at = models.DateTimeField(default=timezone.now)
    # While a process sends it, when another one may.
    next_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    error_code, error_params = CodeField(), ParamsField()
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = DeliveryQuerySet.as_manager()

    dynamodb = Layout(
        "DELIVERY",
        "{id}",
        indexes=[Index("GSI4", "DELIVERY", "{next_at}", when={"state": DeliveryState.WAITING})],
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_at"]), models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.pk

    @property
    def is_test(self) -> bool:
        """Whether it is a test message, which somebody sent by hand."""
        return bool(self.contents.get("isTest"))
