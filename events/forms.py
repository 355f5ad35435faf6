"""Forms for event sources and their secrets, for the operators' pages and the admin."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events import signing_keys, sources
from events.kinds import SourceKind
from events.models import REPLAY_SECONDS, EventSource
from events.validation import MADE_BY_SENDER, check_secret
from moca import sealing
from moca.forms import JSONTextField, VersionedForm

# Ids that no source may have, because a page has the same address.
TAKEN = {"new"}


class SecretField(forms.CharField):
    """A field for a secret. No page shows its value again."""

    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "max_length": 256, **options})


class EventSourceForm(VersionedForm):
    """Creates or changes an event source. Its kind cannot be changed.

    A new source with an address gets a secret: the one entered, or a generated one if the sender
    accepts ours. `made` is the generated one, which is shown once.
    """

    # Whether to generate a secret if none is entered.
    makes_secrets = True
    made = ""

    secret = SecretField(
        label=_("Secret"),
        help_text=_(
            "For webhooks and GitHub leave it empty: one is made, and shown once. Slack calls it "
            "the signing secret, Stripe the endpoint's: enter what they show you."
        ),
    )
    pattern = JSONTextField(
        label=_("Pattern"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"}),
        help_text=_(
            'An EventBridge pattern, such as {"source": ["my.app"]}. Only events that match it '
            "are the source's; for webhooks, empty: all that come."
        ),
    )

    class Meta:
        model = EventSource
        fields = [
            *("name", "id", "description", "icon", "kind", "bus_name", "pattern"),
            "replay_seconds",
        ]
        labels: ClassVar[dict[str, Any]] = {
            "id": _("Id"),
            "name": _("Name"),
            "description": _("Description"),
            "icon": _("Icon"),
            "kind": _("Events come from"),
            "bus_name": _("Event bus"),
            "replay_seconds": _("Replay window (seconds)"),
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "id": _("By which triggers name it: lower-case letters, digits, - and _."),
            "icon": _("A name that other programs show it with."),
            "replay_seconds": _(
                "Of GitHub alone, which signs the body and no id: for so long, the same body is "
                "the same event, whatever id its delivery has. 0: never."
            ),
        }
        widgets: ClassVar[dict[str, Any]] = {
            "id": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "bus_name": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "description": forms.Textarea(attrs={"rows": 3, "cols": 60}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "bus_name" in self.fields:
            self.fields["bus_name"].widget.attrs["placeholder"] = settings.EVENT_BUS_NAME
            self.fields["bus_name"].help_text = _("Empty: %(name)s.") % {
                "name": settings.EVENT_BUS_NAME
            }
        if not self.instance._state.adding:
            for name in ("id", "kind", "secret"):
                self.fields.pop(name, None)
            if not self.instance.has_replay_window:
                self.fields.pop("replay_seconds", None)

    def clean_id(self) -> str:
        key: str = self.cleaned_data["id"]
        if key in sources.configured():
            raise ValidationError(_("The settings have a source of this id."), code="unique")
        if key in TAKEN:
            raise ValidationError(_("This id is a page's address: use another."), code="invalid")
        return key

    def clean_replay_seconds(self) -> int:
        seconds: int | None = self.cleaned_data["replay_seconds"]
        return REPLAY_SECONDS if seconds is None else seconds

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance._state.adding and "kind" in self.cleaned_data:
            self._set_secret(self.cleaned_data["kind"], timezone.now())
        return cleaned

    def add_error(self, field: str | None, error: Any) -> None:
        """Add an error, but not the model's errors of fields that already have one."""
        if field is None and hasattr(error, "error_dict"):
            for name in self.errors.keys() & error.error_dict.keys():
                del error.error_dict[name]
            if not error.error_dict:
                return
        super().add_error(field, error)

    def _set_secret(self, kind: str, now: datetime) -> None:
        entered = self.cleaned_data.get("secret") or ""
        if kind == SourceKind.BUS or "secret" in self.errors:
            return
        try:
            secret = chosen_secret(kind, entered, self.instance.options, makes=self.makes_secrets)
        except ValidationError as error:
            self.add_error("secret", error)
            return
        self.made = "" if entered else secret
        self.instance.secrets = signing_keys.seal(secret, now)


class NewSecretForm(forms.Form):
    """Gives a source a new secret in place of the one before."""

    secret = SecretField(label=_("New secret"))
    at_once = forms.BooleanField(
        label=_("The one before ends at once"),
        required=False,
        help_text=_("Where somebody else knows it. Events that are signed with it are refused."),
    )

    def __init__(self, source: EventSource, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source = source
        self.fields["secret"].help_text = (
            _("Enter what the sender's pages show you.")
            if source.kind in MADE_BY_SENDER
            else _("Empty: one is made, and shown once.")
        )
        self.fields["secret"].widget.is_required = source.kind in MADE_BY_SENDER

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if "secret" not in self.errors:
            try:
                entered = self.cleaned_data["secret"]
                options = self.source.options
                self.new = chosen_secret(self.source.kind, entered, options, makes=True)
            except ValidationError as error:
                self.add_error("secret", error)
        return cleaned

    @property
    def made(self) -> str:
        """The new secret if it was generated, to be shown once; else empty."""
        return "" if self.cleaned_data["secret"] else self.new


def chosen_secret(kind: str, entered: str, options: Any, *, makes: bool) -> str:
    """Return the secret to use: the entered one, or a new one.

    Args:
        kind: the source's kind.
        entered: what was entered, or "" for nothing.
        options: the source's options, which are valid.
        makes: whether to generate one if nothing was entered and the sender accepts ours.

    Raises:
        ValidationError: none was entered though the sender has one, or it cannot be a secret.
    """
    if entered:
        check_secret(kind, entered, options)
        return entered
    if makes and kind not in MADE_BY_SENDER:
        return sealing.new_signing_secret()
    raise ValidationError(_("Enter the secret that the sender signs with."), code="required")
