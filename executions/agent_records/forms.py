"""The form of an agent's record, for the operators' pages and the admin."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from executions.agent_records import lookup
from executions.agent_records.model import Agent
from moca.forms import VersionedForm
from triggers.forms import NamesField

PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class AgentForm(VersionedForm):
    """Creates or changes a record. Its id cannot be changed, because triggers name it."""

    kind = _("agent")

    enabled_tools = NamesField(
        label=_("Tools"),
        required=False,
        help_text=_("Names of the tools the agent may use, one a line. Empty: the agent's own."),
    )

    class Meta:
        model = Agent
        fields = [
            *("name", "id", "description", "address", "protocol"),
            *("auth", "secret_ref", "key_header", "client_id", "token_domain", "scope"),
            *("model_id", "reasoning_effort", "enabled_tools"),
            *("connect_seconds", "idle_seconds", "max_concurrency"),
        ]
        labels: ClassVar[dict[str, Any]] = {
            "id": _("Id"),
            "name": _("Name"),
            "description": _("Description"),
            "address": _("Address"),
            "protocol": _("Protocol"),
            "auth": _("Authorization"),
            "secret_ref": _("Secret"),
            "key_header": _("Header of the key"),
            "client_id": _("Client id"),
            "token_domain": _("Token domain"),
            "scope": _("Scope"),
            "model_id": _("Model"),
            "reasoning_effort": _("Reasoning effort"),
            "connect_seconds": _("Connection time-out (seconds)"),
            "idle_seconds": _("Idle time-out (seconds)"),
            "max_concurrency": _("Runs at the same time"),
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "id": _("What triggers enter as their agent. It cannot be changed later."),
            "address": _(
                "A URL, or the ARN of an AgentCore runtime, which may end with ?qualifier=NAME."
            ),
            "protocol": _("How the agent is asked and answers. “Try” finds out which one it is."),
            "secret_ref": _(
                "Not the secret itself, but where it is: an environment variable that begins with "
                "AGENT_, or the ARN of a secret of Secrets Manager whose name begins with agents/."
            ),
            "token_domain": _("The URL of the user pool's domain. Empty: that of the settings."),
            "scope": _("Empty: all scopes of the client."),
            "model_id": _("For triggers that name no model. Empty: the agent's own."),
            "connect_seconds": _("Empty: 10."),
            "idle_seconds": _(
                "How long an agent that has begun to answer may send nothing. Empty: as in the "
                "settings."
            ),
            "max_concurrency": _(
                "How many runs of the agent a scheduler process has under way at most. Empty: any "
                "number."
            ),
        }
        widgets: ClassVar[dict[str, Any]] = {
            "id": forms.TextInput(attrs=PLAIN),
            "address": forms.TextInput(attrs={**PLAIN, "inputmode": "url"}),
            "secret_ref": forms.TextInput(attrs={**PLAIN, "placeholder": "AGENT_REPORTER_TOKEN"}),
            "key_header": forms.TextInput(attrs=PLAIN),
            "client_id": forms.TextInput(attrs=PLAIN),
            "token_domain": forms.TextInput(attrs=PLAIN),
            "description": forms.Textarea(attrs={"rows": 3, "cols": 60}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "key_header" in self.fields:
            # Pages hide it unless a key is sent.
            self.fields["key_header"].required = False
        if not self.instance._state.adding:
            self.fields.pop("id", None)

    def clean_id(self) -> str:
        key: str = self.cleaned_data["id"]
        if key in lookup.configured():
            raise ValidationError(_("The settings have an agent of this id."), code="unique")
        return key

    def clean_key_header(self) -> str:
        return self.cleaned_data["key_header"] or "X-Api-Key"

    def clean_enabled_tools(self) -> list[str] | None:
        return self.cleaned_data["enabled_tools"] or None
