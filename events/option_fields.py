"""The part of a source's form in which operators describe the sender of a general kind."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from events.kinds import SourceKind
from events.options import ANY_WAY, EVENT_PLACES, NAMES, errors_of
from events.schemes.base import ISO, MILLISECONDS, SECONDS, TOLERANCE_SECONDS
from events.schemes.hmac import ALGORITHMS, BASE64, HEX, STANDARD, TEXT
from events.schemes.token import BASIC, BEARER

# The name of an option's field in the form.
FIELDS = {
    **{name: f"option_{name}" for names in NAMES.values() for name in names},
    "timeForm": "option_time_form",
    "eventTime": "option_event_time",
}
# The fields that only one of the kinds has, and those of both.
OF_HMAC, OF_TOKEN = (
    [FIELDS[name] for name in NAMES[kind] if name not in ("header", *EVENT_PLACES)]
    for kind in (SourceKind.HMAC, SourceKind.TOKEN)
)
OF_BOTH = [FIELDS[name] for name in ("header", *EVENT_PLACES)]


def _text(label: Any, help_text: Any, example: str, **others: Any) -> forms.CharField:
    attributes = {"placeholder": example, "autocomplete": "off", "spellcheck": "false"}
    widget = forms.TextInput(attrs=attributes)
    return forms.CharField(
        label=label, help_text=help_text, widget=widget, required=False, max_length=200, **others
    )


def _choice(label: Any, choices: list[tuple[str, Any]], help_text: Any = "") -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, help_text=help_text, required=False)


class OptionFields(forms.Form):
    """Fields for the options of a source; see `events.options`."""

    option_header = _text(
        _("Header"), _("The header that has the signature, or the token."), "x-acme-signature"
    )
    option_authorization = _choice(
        _("Or in the header Authorization"),
        [("", _("No")), (BEARER, "Bearer"), (BASIC, "Basic"), (ANY_WAY, _("Bearer or Basic"))],
    )
    option_signed = _text(
        _("What is signed"),
        _("A text with {body}, and with {time}, {id} and {url} if the signature covers them too."),
        "{body}",
    )
    option_encoding = _choice(
        _("The signature is written in"), [(HEX, _("Hexadecimal")), (BASE64, "Base64")]
    )
    option_algorithm = _choice(
        _("Hash function"), [(name, name.upper().replace("SHA", "SHA-")) for name in ALGORITHMS]
    )
    option_prefix = _text(
        _("Prefix"),
        _("What stands before the signature in the header. Parts without it are ignored."),
        "sha256=",
        strip=False,
    )
    option_split = _choice(
        _("The parts of the header are separated by"),
        [
            ("", pgettext_lazy("separator", "nothing: it has one part")),
            (" ", pgettext_lazy("separator", "spaces")),
            *((mark, mark) for mark in (",", ";", "|", "&")),
        ],
    )
    option_key = _choice(
        _("How the key is written"),
        [
            (TEXT, _("The text of the secret as it stands")),
            (BASE64, "Base64"),
            (HEX, _("Hexadecimal")),
            (STANDARD, _("As in Standard Webhooks: whsec_ and base64")),
        ],
    )
    option_time = _text(
        _("Where the signed time is"),
        _("header:NAME, body:PATH, or part:NAME of the header above. Empty: no time is signed."),
        "header:x-acme-timestamp",
    )
    option_time_form = _choice(
        _("Form of the time"),
        [
            (SECONDS, _("Unix time in seconds")),
            (MILLISECONDS, _("Unix time in milliseconds")),
            (ISO, "RFC 3339"),
        ],
    )
    option_tolerance = forms.IntegerField(
        label=_("Oldest message (seconds)"),
        required=False,
        help_text=_("Messages whose signed time is further from the present are refused."),
        widget=forms.NumberInput(attrs={"placeholder": TOLERANCE_SECONDS}),
    )
    option_type = _text(
        _("Where events have their type"), _("header:NAME or body:PATH."), "body:type"
    )
    option_id = _text(
        _("Where events have their id"),
        _("header:NAME or body:PATH. By it, events that come again are known."),
        "body:id",
    )
    option_event_time = _text(
        _("Where events have their time"),
        _("header:NAME or body:PATH. Empty: when it comes."),
        "body:created_at",
    )

    def show_options(self, kind: str, options: dict[str, Any]) -> None:
        """Fill the fields with the options of a stored source, and remove those of other kinds."""
        self.initial = {**self.initial, **{FIELDS[name]: value for name, value in options.items()}}
        for name in set(FIELDS.values()) - {FIELDS[name] for name in NAMES.get(kind, ())}:
            del self.fields[name]

    def options_of(self, kind: str) -> dict[str, Any]:
        """The options that were entered for a kind. Adds errors to the fields that are wrong."""
        names = NAMES.get(kind, ())
        entered = {name: self.cleaned_data.get(FIELDS[name]) for name in names}
        options = {name: value for name, value in entered.items() if value not in (None, "")}
        for name, error in errors_of(kind, options).items():
            if FIELDS[name] not in self.errors:
                self.add_error(FIELDS[name], error)
        return options

    def has_option_errors(self) -> bool:
        """Whether an option is wrong."""
        return any(name in self.errors for name in FIELDS.values())
