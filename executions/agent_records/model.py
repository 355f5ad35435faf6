"""The model of an agent's record: how it is called, and the defaults of triggers that name it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agents.protocols import PROTOCOLS
from agents.specification import SECRET_WAYS, Specification
from executions.agent_records import validation
from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Layout
from moca.request_headers import is_taken
from moca.validation import one_line
from triggers.models import ReasoningEffort
from triggers.validation import validate_tools


class AgentAuth(models.TextChoices):
    """How requests to an agent are authorized; see `agents.specification.WAYS`."""

    SETTINGS = "settings", _("As the default agent (AGENT_AUTH)")
    NONE = "none", _("Not at all")
    STATIC = "static", _("Bearer token")
    API_KEY = "api-key", _("API key in a header")
    SIGV4 = "sigv4", _("AWS signature (SigV4)")
    COGNITO = "cognito", _("Cognito client credentials")


class Agent(VersionedModel):
    """An agent that triggers name by its id.

    `secret_ref` names the secret of the authorization, and is not the secret itself. `model_id`,
    `reasoning_effort` and `enabled_tools` are for triggers that have no values of their own.
    """

    id = models.CharField(
        _("id"), primary_key=True, max_length=200, validators=[one_line, validation.check_id]
    )
    name = models.CharField(_("name"), max_length=200, validators=[one_line])
    description = models.TextField(
        _("description"), blank=True, validators=[MaxLengthValidator(2000)]
    )
    address = models.CharField(
        _("address"), max_length=2000, validators=[one_line, validation.check_address]
    )
    protocol = models.CharField(
        _("protocol"),
        max_length=20,
        choices=[(name, name) for name in PROTOCOLS],
        default="invocations",
    )
    auth = models.CharField(
        _("authorization"), max_length=10, choices=AgentAuth, default=AgentAuth.SETTINGS
    )
    secret_ref = models.CharField(
        _("secret"), max_length=2048, blank=True, validators=[validation.check_secret_ref]
    )
    key_header = models.CharField(
        _("key header"),
        max_length=100,
        default="X-Api-Key",
        validators=[
            RegexValidator(r"\A[A-Za-z0-9-]+\Z", _("Give the name of a header, such as X-Api-Key."))
        ],
    )
    client_id = models.CharField(_("client id"), max_length=200, blank=True, validators=[one_line])
    token_domain = models.CharField(
        _("token domain"),
        max_length=500,
        blank=True,
        validators=[one_line, validation.check_token_domain],
    )
    scope = models.CharField(_("scope"), max_length=500, blank=True, validators=[one_line])
    connect_seconds = models.PositiveIntegerField(
        _("connection time-out"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(300)],
    )
    idle_seconds = models.PositiveIntegerField(
        _("idle time-out"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
    )
    max_concurrency = models.PositiveIntegerField(
        _("requests at the same time"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
    )
    model_id = models.CharField(_("model"), max_length=200, blank=True, validators=[one_line])
    reasoning_effort = models.CharField(
        _("reasoning effort"), max_length=10, blank=True, choices=ReasoningEffort
    )
    enabled_tools = models.JSONField(_("tools"), null=True, blank=True, validators=[validate_tools])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    # Whether the settings list it. If so, it can be changed only there.
    is_configured = False

    objects = ExpectingQuerySet.as_manager()

    dynamodb = Layout("AGENT", "{id}")

    class Meta:
        ordering = ["id"]
        verbose_name = "agent"

    def __str__(self) -> str:
        return self.name

    @property
    def specification(self) -> Specification:
        """How the agent is called."""
        return Specification(
            agent_id=self.pk,
            address=self.address,
            protocol=self.protocol,
            auth=self.auth,
            secret=self.secret_ref,
            key_header=self.key_header,
            client_id=self.client_id,
            token_domain=self.token_domain,
            scope=self.scope,
            connect_seconds=self.connect_seconds,
            idle_seconds=self.idle_seconds,
        )

    @property
    def sees_tokens_of_settings(self) -> bool:
        """Whether the address may see the tokens that the default agent gets."""
        return self.auth == AgentAuth.SETTINGS

    @property
    def options(self) -> dict[str, str]:
        """The further keys of a request that a trigger without its own values gets."""
        found = {"modelId": self.model_id, "reasoningEffort": self.reasoning_effort}
        return {name: value for name, value in found.items() if value}

    def clean(self) -> None:
        """Validate fields that depend on each other.

        Raises:
            ValidationError: has the errors by field.
        """
        found: dict[str, Any] = {}
        if self.auth in SECRET_WAYS and not self.secret_ref:
            reason = _(
                "Name where the secret is: an environment variable such as AGENT_REPORTER_TOKEN, "
                "or the ARN of a secret."
            )
            found["secret_ref"] = ValidationError(reason, code="missing")
        if self.secret_ref and self.auth not in SECRET_WAYS:
            reason = _("Leave it empty: this authorization sends no secret of the agent's own.")
            found["secret_ref"] = ValidationError(reason, code="unused")
        if self.auth == AgentAuth.API_KEY and is_taken(self.key_header):
            reason = _("Give another header: requests have this one for something else.")
            found["key_header"] = ValidationError(reason, code="taken")
        if self.auth == AgentAuth.COGNITO and not self.client_id:
            found["client_id"] = ValidationError(_("Enter the id of the app client."), "missing")
        if found:
            raise ValidationError(found)
