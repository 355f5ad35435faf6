"""Event sources, and the events that came in at their addresses."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

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
from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Index, Layout
from moca.validation import one_line

# How long a received event is remembered: for the list of its source, and lest it come again.
KEPT = timedelta(days=7)

# How long a body that nobody signed an id for is known under any other id, in seconds.
REPLAY_SECONDS = 10
MAX_REPLAY_SECONDS = int(KEPT.total_seconds())


class EventSource(VersionedModel):
    """Something that event triggers can listen to.

    A source of the kind `bus` is what a pattern lets through of all that is on an event bus. The
    others take events at an address of their own (`POST /events?source=ID`), each signed with one
    of the source's secrets; a pattern narrows them.
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
        _("events come from"), max_length=10, choices=SourceKind, default=SourceKind.WEBHOOK
    )
    bus_name = models.CharField(_("event bus"), max_length=256, blank=True)
    pattern = models.JSONField(_("pattern"), null=True, blank=True)
    # GitHub signs the body alone: within this time, the same body is the same event, whatever id
    # its delivery has.
    replay_seconds = models.PositiveIntegerField(
        _("replay window"),
        default=REPLAY_SECONDS,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_REPLAY_SECONDS)],
    )
    # Sealed, each with the epoch seconds until which it holds; see `events.signing_keys`.
    secrets = models.JSONField(default=list, blank=True, editable=False)
    # The last messages that were refused, the latest first; see `events.rejections`. Each has `at`,
    # `code`, `reason`, `requestId`, and `times`: how many were refused since the one before it.
    refusals = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    # Whether it comes from the settings, where alone it can be changed.
    is_configured = False
    # Secrets of a configured source, or the ARNs of such.
    configured_secrets: tuple[str, ...] = ()

    class Meta:
        ordering = ["id"]
        verbose_name = "event source"

    def __str__(self) -> str:
        return self.name

    @property
    def has_address(self) -> bool:
        """Whether events come in at an address of the source's own."""
        return self.kind != SourceKind.BUS

    @property
    def has_replay_window(self) -> bool:
        """Whether its sender signs no id, so that the window matters."""
        return self.kind == SourceKind.GITHUB

    @property
    def bus(self) -> str:
        """The event bus on which its events are."""
        return self.bus_name or str(settings.EVENT_BUS_NAME)

    def event_id(self, key: str) -> str:
        """The id of an event of this source that its sender knows by a key."""
        return hashlib.sha256(json.dumps([self.pk, key]).encode()).hexdigest()

    def clean(self) -> None:
        """Check what concerns more than one field.

        Raises:
            ValidationError: by field.
        """
        if errors := self._errors():
            raise ValidationError(errors)

    def _errors(self) -> dict[str, list[ValidationError]]:
        """What is wrong with the source beyond its single fields, by field."""
        found: dict[str, list[ValidationError]] = {}
        # A bus that was chosen before stays as it is.
        is_free = self.is_configured or "bus_name" not in self.changed_fields()
        if errors := validation.bus_errors(self.bus_name, is_free=is_free):
            found["bus_name"] = errors
        if errors := self._pattern_errors():
            found["pattern"] = errors
        if self.is_configured and (
            errors := list(validation.secret_errors(self.kind, self.configured_secrets))
        ):
            found["secrets"] = errors
        return found

    def _pattern_errors(self) -> list[ValidationError]:
        if self.pattern is None:
            # Rules for a source without a pattern are somebody else's, which only the settings
            # may say.
            if self.has_address or self.is_configured:
                return []
            reason = _('Give the pattern of its events, such as {"source": ["my.app"]}.')
            # In place of "required", for which forms have a sentence of their own.
            return [ValidationError(reason, code="missing")]
        if errors := validation.pattern_errors(self.pattern):
            return errors
        if self.has_address and isinstance(self.pattern, dict) and "resources" in self.pattern:
            reason = _("Leave out resources: by it, the events of this address are known.")
            return [ValidationError(reason, code="resources")]
        return []

    def active_secrets(self, now: datetime) -> list[str]:
        """The secrets with which events may be signed now, the newest first.

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
        # For the log, which is in English, whoever asks.
        with translation.override("en"):
            return str(validation.secret_fault(self.kind, secret))


# Bytes of an event's envelope that its row holds: DynamoDB takes items of 400 KB.
MAX_STORED = 350_000
# Stands in the detail of a larger one.
CUT = "moca-cut"


class EventState(models.TextChoices):
    """How far an event has come: `done` means handed to all who listen, or to the event bus."""

    QUEUED = "queued", _("Queued")
    DONE = "done", _("Handled")
    FAILED = "failed", _("Failed")


class ReceivedEventQuerySet(ExpectingQuerySet["ReceivedEvent"]):
    def queued(self) -> Self:
        """The events that wait to be handled, the longest waiting first."""
        return self.filter(state=EventState.QUEUED).order_by("received_at")

    def of_source(self, source_id: str) -> Self:
        """The events that came in at a source's address, the latest first."""
        return self.filter(source_id=source_id).order_by("-received_at")


class ReceivedEvent(models.Model):
    """An event that came in at a source's address.

    Its id follows from the source and from the sender's own id of the event, so that one that
    comes again meets the row of the first time.
    """

    id = models.CharField(primary_key=True, max_length=64)
    source_id = models.CharField(max_length=36)
    # A digest of the signature it came with: the same again is the very same message again.
    signature = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=EventState, default=EventState.QUEUED)
    received_at = models.DateTimeField()
    # The EventBridge envelope as JSON text; of an event that is larger than MAX_STORED bytes,
    # without its detail.
    envelope = models.TextField()
    # Triggers of this machine that it was offered to.
    triggers = models.PositiveIntegerField(default=0)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    # The whole envelope of a larger one, as long as its message is being handled.
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
        """Set the envelope; one that the row cannot hold goes on from this message or not at all.

        Nobody can send it on later from the row, which is not queued then.
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
        """The whole envelope, as it goes on."""
        return self.whole or self.envelope

    @property
    def contents(self) -> dict[str, Any]:
        """The envelope, read; empty where it cannot be."""
        try:
            contents = json.loads(self.envelope)
        except ValueError:
            return {}
        return contents if isinstance(contents, dict) else {}
