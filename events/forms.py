"""Forms for event sources and their secrets, for the operators' pages and the admin."""

import base64
import secrets
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events import senders, signing_keys, sources
from events.kinds import SourceKind
from events.models import REPLAY_SECONDS, EventSource
from events.option_fields import OptionFields
from events.schemes.hmac import BASE64, HEX, TEXT
from events.secret_rules import check_secret
from moca import sealing
from moca.forms import JSONTextField, VersionedForm

# The bytes of a key that is made for a sender that wants it in base64 or hexadecimal.
KEY_BYTES = 32
# Ids that no source may have, because a page has the same address.
TAKEN = {"new"}


class SecretField(forms.CharField):
    """A field for a secret. No page shows its value again."""

    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "max_length": 256, **options})


class EventSourceForm(OptionFields, VersionedForm):
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
            "Leave it empty if the sender lets you choose: one is made, and shown once. Senders "
            "such as Slack and Stripe make their own: enter what they show you."
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
                "Of GitHub and others that sign the body and no id: for so long, the same body is "
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
            self.show_options(self.instance.kind, self.instance.options or {})
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
        is_new = self.instance._state.adding
        kind = self.cleaned_data.get("kind") if is_new else self.instance.kind
        if kind:
            self.instance.options = self.options_of(kind)
        if kind and is_new and not self.has_option_errors():
            self._set_secret(kind, timezone.now())
        return cleaned

    def add_error(self, field: str | None, error: Any) -> None:
        """Add an error, but not the model's errors of fields that already have one."""
        if field is None and hasattr(error, "error_dict"):
            # The fields of the options have what is wrong with them.
            for name in {*self.errors, "options"} & error.error_dict.keys():
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
        self.source, sender = source, source.sender
        self.fields["secret"].help_text = (
            sender.secret_help or _("Enter what the sender's pages show you.")
            if sender.makes_secret
            else _("Empty: one is made, and shown once.")
        )
        self.fields["secret"].widget.is_required = sender.makes_secret

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
    if makes and not senders.sender_of(kind).makes_secret:
        return _new_secret(kind, options)
    raise ValidationError(_("Enter the secret that the sender signs with."), code="required")


def _new_secret(kind: str, options: Any) -> str:
    """A random secret in the form that the sender of a kind accepts."""
    form = (options or {}).get("key", TEXT)
    if form == HEX:
        return secrets.token_hex(KEY_BYTES)
    if form == BASE64:
        return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return sealing.new_signing_secret()
