"""The forms of channels and rules, for the operators' pages and the admin."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from alerts import services
from alerts.channels import ChannelError
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Rule, default_kinds
from moca.aws.secrets_manager import SecretError
from moca.forms import VersionedForm
from moca.reasons import translated

PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class ChannelForm(VersionedForm):
    """Creates or changes a channel. A secret that is stored is never shown again."""

    kind = _("channel")

    secret = forms.CharField(
        label=_("Apprise URL or signing secret"),
        required=False,
        max_length=2000,
        help_text=_(
            "For Apprise, the URL of the service, such as slack://TOKEN_A/TOKEN_B/TOKEN_C. For a "
            "webhook, empty: a secret is generated and shown once. It may be the ARN of a secret "
            "of Secrets Manager whose name begins with alerts/. It is not shown again; empty keeps "
            "the stored one."
        ),
        widget=forms.PasswordInput(attrs={**PLAIN, "autocomplete": "new-password"}),
    )

    class Meta:
        model = Channel
        fields = ("name", "kind", "recipients", "url", "secret", "language", "enabled")
        labels: ClassVar[dict[str, Any]] = {
            "name": _("Name"),
            "kind": _("Kind"),
            "recipients": _("E-mail addresses"),
            "url": _("Address of the webhook"),
            "language": _("Language"),
            "enabled": _("Switched on"),
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "recipients": _("With spaces or commas between them."),
            "url": _("It gets a POST request, signed by Standard Webhooks."),
        }
        widgets: ClassVar[dict[str, Any]] = {
            "recipients": forms.Textarea(attrs={**PLAIN, "rows": 2, "cols": 60}),
            "url": forms.TextInput(attrs={**PLAIN, "inputmode": "url"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.initial.setdefault("kind", ChannelKind.EMAIL)

    def clean(self) -> dict[str, Any] | None:
        """Validate the secret, and seal it."""
        cleaned = super().clean()
        data = self.cleaned_data
        kind, secret = data.get("kind"), str(data.get("secret") or "").strip()
        self.instance.kind = kind or ""
        if kind == ChannelKind.EMAIL or not kind:
            return cleaned
        is_same = self.instance.loaded_value("kind") == kind
        if not is_same and not secret:
            self.instance.secrets = []
            if kind == ChannelKind.APPRISE:
                self.add_error("secret", ValidationError(_("Enter the URL."), code="missing"))
        if secret:
            self._seal(secret)
        if kind == ChannelKind.APPRISE:
            # Pages show the service alone.
            data["url"] = self.instance.url if secret or is_same else ""
        return cleaned

    def _seal(self, secret: str) -> None:
        try:
            services.set_secret(self.instance, secret)
        except ChannelError as error:
            self.add_error("secret", ValidationError(translated(error.reason), code="secret"))
        except SecretError as error:
            self.add_error("secret", ValidationError(str(error), code="secret"))


class RuleForm(VersionedForm):
    """Creates or changes a rule."""

    kind = _("rule")

    channel_id = forms.ChoiceField(label=_("Channel"))
    kinds = forms.MultipleChoiceField(
        label=_("Tell of"),
        choices=Happening.choices,
        initial=default_kinds,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Rule
        fields = (
            *("name", "channel_id", "enabled", "tag", "trigger_id", "kinds", "after_failures"),
            *("pause_minutes", "quiet_from", "quiet_until", "quiet_zone", "includes_output"),
        )
        labels: ClassVar[dict[str, Any]] = {
            "name": _("Name"),
            "enabled": _("Switched on"),
            "tag": _("Only triggers with the tag"),
            "trigger_id": _("Only this trigger"),
            "after_failures": _("After failures in a row"),
            "pause_minutes": _("Minutes between messages about a trigger"),
            "quiet_from": _("Quiet from"),
            "quiet_until": _("Quiet until"),
            "quiet_zone": _("Time zone of the quiet hours"),
            "includes_output": _("Include the start of the agent's output"),
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "tag": _("Empty: all triggers, and the installation itself."),
            "trigger_id": _("The id of the trigger."),
            "after_failures": _(
                "From so many on, failures are told. That a trigger keeps failing is told at this "
                "number, and at ten times as many."
            ),
            "pause_minutes": _("What happens in between is counted and told in the next. 0: none."),
            "quiet_from": _("What happens in these hours is told at their end, in one message."),
            "includes_output": _(
                "The output may repeat the prompt. Without it, no message has words of the agent."
            ),
        }
        widgets: ClassVar[dict[str, Any]] = {
            "quiet_from": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "quiet_until": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "quiet_zone": forms.TextInput(attrs=PLAIN),
            "trigger_id": forms.TextInput(attrs=PLAIN),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "channel_id" in self.fields:
            field: Any = self.fields["channel_id"]
            field.choices = [(channel.pk, channel.name) for channel in Channel.objects.all()]
