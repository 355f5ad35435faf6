"""The guide of each sender: where its settings are, and what belongs into them."""

from collections.abc import Callable
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from console.sending import texts
from console.sending.base import Guide, Paste
from console.sending.scripts import script_of
from events.kinds import SourceKind
from events.models import EventSource

SHELL = _("In a shell, with the secret in SECRET")
CURL = _("Send an event from a shell, with the secret in SECRET")
JSON_TYPE = _("As content type choose application/json.")
ENTER_ADDRESS = _("Enter the address above as the URL to which it posts.")
ENTER_SECRET = _("Enter the secret that was shown when the source was made, or set a new one here.")
COPY_SECRET = _("Copy the secret that it shows, and set it here by New secret.")
SEND_TEST = _("Have it send a test message. It is listed here under Received events.")


def _filled(text: str, source: EventSource, address: str) -> str:
    return text.replace("ADDRESS", address).replace("moca-ID", f"moca-{source.pk}")


def _file_guide(steps: list[Any], *pastes: tuple[Any, str]) -> Callable[[EventSource, str], Guide]:
    """A guide whose texts depend on nothing but the address and the id."""

    def guide(source: EventSource, address: str) -> Guide:
        return Guide(
            steps, [Paste(title, _filled(text, source, address)) for title, text in pastes]
        )

    return guide


def _at(place: Any, *others: Any) -> list[Any]:
    return [format_lazy(_("Open {place}."), place=place), ENTER_ADDRESS, *others, SEND_TEST]


_GUIDES: dict[str, Callable[[EventSource, str], Guide]] = {
    SourceKind.GITHUB: _file_guide(
        _at(
            _("Settings, Webhooks, Add webhook of the repository or the organization"),
            JSON_TYPE,
            ENTER_SECRET,
            _("Choose individual events: those that your triggers listen to."),
        ),
        (SHELL, texts.GITHUB),
    ),
    SourceKind.SLACK: _file_guide(
        _at(
            _("Event Subscriptions of your app"),
            _("Set the signing secret here first: Slack asks at once whether the address answers."),
            _("Subscribe to the events of bots that your triggers listen to."),
        ),
        (_("In the manifest of the app"), texts.SLACK),
    ),
    SourceKind.STRIPE: _file_guide(
        _at(
            _("Developers, Webhooks, Add destination"),
            _("Choose the events that your triggers listen to."),
            COPY_SECRET,
        ),
        (_("Or by the Stripe CLI"), texts.STRIPE_ENDPOINT),
        (
            _("To try it on your machine; set the secret that the first line prints here"),
            texts.STRIPE_LISTEN,
        ),
    ),
    "shopify": _file_guide(
        _at(
            _("Settings, Notifications, Webhooks of the shop, or the configuration of your app"),
            _("Choose JSON as format."),
            COPY_SECRET,
        ),
        (_("In shopify.app.toml"), texts.SHOPIFY),
    ),
    "alertmanager": _file_guide(
        [
            _("Write the secret into the file that credentials_file names."),
            _("Add the receiver to alertmanager.yml, name it in a route, and reload it."),
        ],
        (_("In alertmanager.yml"), texts.ALERTMANAGER),
    ),
    "grafana": _file_guide(
        _at(
            _("Alerting, Contact points, Add contact point, Webhook"),
            _("Under optional settings, enter Bearer as scheme and the secret as credentials."),
        ),
        (
            _("Or as a file in provisioning/alerting, with the secret in MOCA_SECRET"),
            texts.GRAFANA,
        ),
    ),
    SourceKind.EVENTBRIDGE: _file_guide(
        [
            _("Create a connection with an API key: the name x-api-key, and the secret as value."),
            _("Create an API destination with this connection and the address, by POST."),
            _("Create a rule whose target is the API destination."),
        ],
        (_("By CloudFormation, with a pattern of yours"), texts.CLOUDFORMATION),
        (_("Or in a shell, with the secret in SECRET"), texts.EVENTBRIDGE_CLI),
    ),
    SourceKind.SNS: _file_guide(
        [
            _("Subscribe the address to the topic by HTTPS. Leave raw message delivery off."),
            _("The subscription is confirmed by itself if the topic is the one entered here."),
        ],
        (_("In a shell, with the topic in TOPIC_ARN"), texts.SNS),
    ),
    "gitlab": _file_guide(
        _at(
            _("Settings, Webhooks of the project or the group"),
            _("Enter the secret as secret token."),
            _("Choose the events that your triggers listen to."),
        ),
        (SHELL, texts.GITLAB),
    ),
    "gitlab-signed": _file_guide(
        _at(
            _("Settings, Webhooks of the project or the group"),
            _("Enter the secret as signing token."),
            _("Choose the events that your triggers listen to."),
        )
    ),
    "gitea": _file_guide(
        _at(_("Settings, Webhooks of the repository, Add webhook"), JSON_TYPE, ENTER_SECRET)
    ),
    "bitbucket": _file_guide(_at(_("Repository settings, Webhooks, Add webhook"), ENTER_SECRET)),
    "jira": _file_guide(_at(_("Settings, System, WebHooks"), ENTER_SECRET)),
    "linear": _file_guide(_at(_("Settings, API, Webhooks"), COPY_SECRET)),
    "pagerduty": _file_guide(
        _at(_("Integrations, Generic Webhooks (v3)"), COPY_SECRET),
        (_("Or in a shell, with a key of the REST API in PAGERDUTY_TOKEN"), texts.PAGERDUTY),
    ),
    "paddle": _file_guide(_at(_("Developer tools, Notifications"), COPY_SECRET)),
    "sentry": _file_guide(_at(_("Settings, Custom integrations of the organization"), COPY_SECRET)),
    "square": _file_guide(_at(_("Webhooks, Subscriptions of your application"), COPY_SECRET)),
    "typeform": _file_guide(_at(_("Connect, Webhooks of the form"), ENTER_SECRET)),
    "resend": _file_guide(_at(_("Webhooks, Add webhook"), COPY_SECRET)),
    "clerk": _file_guide(_at(_("Configure, Webhooks, Add endpoint"), COPY_SECRET)),
    "svix": _file_guide(_at(_("the endpoints of the sender's portal"), COPY_SECRET)),
    SourceKind.SENDGRID: _file_guide(
        _at(
            _("Settings, Mail settings, Event webhooks"),
            _("Turn signature verification on, and set its verification key here."),
        )
    ),
    SourceKind.DISCORD: _file_guide(
        _at(
            _("General Information of the application, Interactions endpoint URL, or Webhooks"),
            _("Set the public key of the application here first: Discord tries it at once."),
        )
    ),
    SourceKind.META: _file_guide(
        _at(
            _("Webhooks of your app"),
            _("Enter the verify token below."),
            _("Set the app secret here by New secret."),
        )
    ),
    SourceKind.TWILIO: _file_guide(
        _at(
            _("the settings of the phone number or the service"),
            _("Set the auth token of the account here by New secret."),
        )
    ),
    SourceKind.ZOOM: _file_guide(
        _at(
            _("Feature, Access, Event subscriptions of the app"),
            _("Set the secret token here first: Zoom asks at once whether the address answers."),
        )
    ),
}


def guide_of(source: EventSource, address: str) -> Guide:
    """What to do so that the sender of a source sends to its address."""
    if guide := _GUIDES.get(source.kind):
        return guide(source, address)
    script = script_of(source, address)
    secret = COPY_SECRET if source.sender.makes_secret else ENTER_SECRET
    return Guide([ENTER_ADDRESS, secret], [Paste(CURL, script)] if script else [])
