"""The models of event sources, and of the events that were received at their addresses."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import models
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from events import signing_keys, validation
from events.kinds import SourceKind
from events.seen import SeenMessage
from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Index, Layout
from moca.tracing import MOST_CHARACTERS
from moca.validation import one_line

if TYPE_CHECKING:
    from events.senders import Sender

__all__ = ["EventSource", "EventState", "ReceivedEvent", "SeenMessage"]

# How long a received event is stored: for the list of its source, and to recognize duplicates.
KEPT = timedelta(days=7)

# The seconds in which the same body is a duplicate, if its sender does not sign an id.
REPLAY_SECONDS = 10
MAX_REPLAY_SECONDS = int(KEPT.total_seconds())


def kind_choices() -> list[tuple[Any, list[tuple[str, Any]]]]:
    """The kinds of sources for forms, by group."""
    from events import senders  # 15 ms of the handler, which shows no forms

    return senders.choices()


class EventSource(VersionedModel):
    """A source of events, to which event triggers listen.

    A source of the kind `bus` selects events of an event bus by its pattern. The other kinds
    receive events at an address of their own (`POST /events?source=ID`). Senders sign each with one
    of the source's secrets, and a pattern may select among them. `events.senders` has the kinds.
    """

    id = models.CharField(
        _("id"),
        primary_key=True,
        max_length=36,
        validators=[
            RegexValidator(
                r"\A[a-z0-9][a-z0-9_-]*\Z",
                _("Give lower-case letters, digits, - and _, such as github-main."),
            )
        ],
    )
    name = models.CharField(_("name"), max_length=200, validators=[one_line])
    description = models.TextField(
        _("description"), blank=True, validators=[MaxLengthValidator(2000)]
    )
    icon = models.CharField(_("icon"), max_length=100, blank=True, validators=[one_line])
    kind = models.CharField(
        _("events come from"),
        max_length=20,
        choices=kind_choices,
        default=SourceKind.WEBHOOK,
    )
    # How the sender of a general kind signs; see `events.options`.
    options = models.JSONField(_("options"), default=dict, blank=True)
    bus_name = models.CharField(_("event bus"), max_length=256, blank=True)
    pattern = models.JSONField(_("pattern"), null=True, blank=True)
    # Some senders, such as GitHub, sign no id. Within this time the same body is a duplicate, even
    # if its delivery has another id.
    replay_seconds = models.PositiveIntegerField(
        _("replay window"),
        default=REPLAY_SECONDS,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_REPLAY_SECONDS)],
    )
    # Sealed, each with the epoch seconds at which it expires; see `events.signing_keys`.
    secrets = models.JSONField(default=list, blank=True, editable=False)
    # Until then messages to its address are only looked at; see `events.listening`.
    listening_until = models.DateTimeField(_("listening until"), null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    # Whether the settings list it. If so, it can be changed only there.
    is_configured = False
    # The secrets of a source in the settings, or their ARNs.
    configured_secrets: tuple[str, ...] = ()

    class Meta:
        ordering = ["id"]
        verbose_name = "event source"

    def __str__(self) -> str:
        return self.name

    @property
    def sender(self) -> "Sender":
        """Who sends the source's events, and how."""
        from events import options  # 15 ms of the handler, to which nobody sends

        return options.sender_of(self.kind, self.pk, self.options)

    @property
    def has_address(self) -> bool:
        """Whether the source receives events at an address of its own."""
        return self.kind != SourceKind.BUS

    @property
    def has_replay_window(self) -> bool:
        """Whether the window matters: only if the sender signs no id."""
        return self.sender.has_replay_window

    @property
    def bus(self) -> str:
        """The name of the event bus that has its events."""
        return self.bus_name or str(settings.EVENT_BUS_NAME)

    def event_id(self, key: str) -> str:
        """Return the id of an event of this source, from the sender's own key of it."""
        return hashlib.sha256(json.dumps([self.pk, key]).encode()).hexdigest()

    def clean(self) -> None:
        """Validate fields that depend on each other.

        Raises:
            ValidationError: has the errors by field.
        """
        if errors := self._errors():
            raise ValidationError(errors)

    def _errors(self) -> dict[str, list[ValidationError]]:
        """Find what is wrong with fields that depend on each other, by field."""
        from events import secret_rules  # 15 ms of the handler, which saves no source

        found: dict[str, list[ValidationError]] = {}
        # A bus that was chosen earlier may stay, even if the settings no longer name it.
        is_free = self.is_configured or "bus_name" not in self.changed_fields()
        if errors := validation.bus_errors(self.bus_name, is_free=is_free):
            found["bus_name"] = errors
        if errors := self._pattern_errors():
            found["pattern"] = errors
        if errors := secret_rules.options_errors(self.kind, self.options):
            found["options"] = errors
            return found
        if self.is_configured and (
            errors := list(secret_rules.secret_errors(self.sender, self.configured_secrets))
        ):
            found["secrets"] = errors
        return found

    def _pattern_errors(self) -> list[ValidationError]:
        if self.pattern is None:
            # Another service may have the rule of a source without a pattern. Only the settings
            # may list such a source.
            if self.has_address or self.is_configured:
                return []
            reason = _('Give the pattern of its events, such as {"source": ["my.app"]}.')
            # Not the code "required", because forms replace the sentence of that one.
            return [ValidationError(reason, code="missing")]
        if errors := validation.pattern_errors(self.pattern):
            return errors
        if self.has_address and isinstance(self.pattern, dict) and "resources" in self.pattern:
            reason = _("Leave out resources: by it, the events of this address are known.")
            return [ValidationError(reason, code="resources")]
        return []

    def active_secrets(self, now: datetime) -> list[str]:
        """Return the secrets that senders may sign with now, the newest first.

        Raises:
            UnreadableError: none of them can be read.
        """
        if not self.is_configured:
            return signing_keys.unseal_active(self.secrets, now)
        found = [signing_keys.resolve(text) for text in self.configured_secrets]
        if found and not (usable := [text for text in found if not self._secret_fault(text)]):
            raise signing_keys.UnreadableError(self._secret_fault(found[0]))
        return usable if found else []

    def _secret_fault(self, secret: str) -> str:
        from events import secret_rules  # 15 ms of the handler, which opens no secrets

        # For the log, which is in English, whoever asks.
        with translation.override("en"):
            return str(secret_rules.secret_fault(self.sender, secret))


# The most bytes of an envelope in a row, because a DynamoDB item has at most 400 KB.
MAX_STORED = 350_000
# The key in the detail of a larger envelope, which says that the detail is not stored.
CUT = "moca-cut"


class EventState(models.TextChoices):
    """The state of an event. `done`: the triggers that listen have it, or the event bus has it."""

    QUEUED = "queued", _("Queued")
    DONE = "done", _("Handled")
    FAILED = "failed", _("Failed")


class ReceivedEventQuerySet(ExpectingQuerySet["ReceivedEvent"]):
    def queued(self) -> Self:
        """Select the events that wait to be handled, the oldest first."""
        return self.filter(state=EventState.QUEUED).order_by("received_at")

    def of_source(self, source_id: str) -> Self:
        """Select the events that a source received, the newest first."""
        return self.filter(source_id=source_id).order_by("-received_at")


class ReceivedEvent(models.Model):
    """An event that a source received at its address.

    Its id is made from the source and the sender's own id of the event, so that a duplicate meets
    the row of the first one.
    """

    id = models.CharField(primary_key=True, max_length=64)
    source_id = models.CharField(max_length=36)
    # A digest of its signature. The same signature means that the whole message is a duplicate.
    signature = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=EventState, default=EventState.QUEUED)
    received_at = models.DateTimeField()
    # The EventBridge envelope as JSON text. If it has more than MAX_STORED bytes, its detail is
    # left out.
    envelope = models.TextField()
    # How many triggers of this machine it was offered to.
    triggers = models.PositiveIntegerField(default=0)
    # The trace of the request that brought it; see `moca.tracing`.
    trace_context = models.CharField(max_length=MOST_CHARACTERS, blank=True, editable=False)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    # The whole envelope of a larger event, while its message is being handled.
    whole = ""

    objects: ClassVar[Any] = ReceivedEventQuerySet.as_manager()

    dynamodb = Layout(
        "EVENT#{id}",
        "EVENT",
        indexes=[
            Index("GSI3", "EVENTS#{source_id}", "{received_at}"),
            Index("GSI4", "EVENTQUEUE", "{received_at}", when={"state": EventState.QUEUED}),
        ],
    )

    class Meta:
        indexes = [
            models.Index(fields=["state", "received_at"]),
            models.Index(fields=["source_id", "received_at"]),
            models.Index(fields=["ttl"]),
        ]

    def __str__(self) -> str:
        return self.id

    def set_envelope(self, envelope: dict[str, Any]) -> None:
        """Set the envelope. If it is too large for the row, the row has it without its detail.

        The row is not queued, because it lacks the detail: the event is published now or never.
        """
        text = json.dumps(envelope, ensure_ascii=False)
        size = len(text.encode())
        if size <= MAX_STORED:
            self.envelope = text
            return
        said = f"The event has {size:,} bytes: of more than {MAX_STORED:,}, no detail is kept."
        self.envelope = json.dumps({**envelope, "detail": {CUT: said}}, ensure_ascii=False)
        self.whole, self.state = text, EventState.FAILED

    @property
    def going_on(self) -> str:
        """The whole envelope, as it is published."""
        return self.whole or self.envelope

    @property
    def contents(self) -> dict[str, Any]:
        """The parsed envelope, or an empty one if it cannot be parsed."""
        try:
            contents = json.loads(self.envelope)
        except ValueError:
            return {}
        return contents if isinstance(contents, dict) else {}
