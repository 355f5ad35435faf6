"""The table of senders: how each signs, and where its messages have type, id and time.

One entry for each. To add a sender that signs by HMAC or sends a token, add an entry here: forms,
settings, the API, the reserved names of sources and the tests follow. Each entry names the page of
the sender's documentation that has the rule.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

from events.kinds import SourceKind
from events.schemes.base import MILLISECONDS
from events.schemes.hmac import BASE64, STANDARD, HmacScheme
from events.schemes.public_key import ECDSA, ED25519, PublicKeyScheme
from events.schemes.sns import SnsScheme
from events.schemes.token import WAYS, TokenScheme
from events.schemes.twilio import TwilioScheme
from events.sender import BUS, GENERAL, Sender

# Retries of SendGrid come within a day. A replay is found by the signed `sg_event_id` for longer.
DAY_SECONDS = 86_400


def _standard(prefix: str) -> HmacScheme:
    """Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks, spec).

    Svix came before it and has headers of its own ("Verifying payloads manually").
    """
    return HmacScheme(
        header=f"{prefix}-signature",
        signed="{id}.{time}.{body}",
        prefix="v1,",
        split=" ",
        encoding=BASE64,
        time=f"header:{prefix}-timestamp",
        id=f"{prefix}-id",
        key=STANDARD,
    )


def _of_body(header: str, prefix: str = "", **others: Any) -> HmacScheme:
    """A signature of the body alone."""
    return HmacScheme(header=header, prefix=prefix, **others)


_ANY_TEXT = _("Leave it empty: one is made, and shown once. Enter it at the sender.")
_AUTHORIZATION = _(
    "Leave it empty: one is made, and shown once. Enter it at the sender as bearer token, or as "
    "password of basic authentication. To enter both yourself: user:password."
)

_SVIX: dict[str, Any] = {
    "scheme": _standard("svix"),
    "type_from": ("body:type",),
    "id_from": ("header:svix-id",),
    "makes_secret": True,
}

ALL = (
    # "Validating webhook deliveries".
    Sender(
        kind=SourceKind.GITHUB,
        label=_("GitHub webhooks"),
        scheme=_of_body("x-hub-signature-256", "sha256="),
        name="github.com",
        type_from=("header:x-github-event",),
        type_default="webhook",
        id_from=("header:x-github-delivery",),
        resource_from="body:repository.full_name",
        secret_help=_ANY_TEXT,
        marks=("x-github-hook-id",),
    ),
    # "Verifying requests from Slack".
    Sender(
        kind=SourceKind.SLACK,
        label=_("Slack events"),
        scheme=HmacScheme(
            header="x-slack-signature",
            signed="v0:{time}:{body}",
            prefix="v0=",
            time="header:x-slack-request-timestamp",
        ),
        name="slack.com",
        type_from=("body:event.type", "body:type"),
        id_from=("body:event_id",),
        time_from="body:event_time",
        makes_secret=True,
        secret_help=_("The signing secret, under Basic Information of the app."),
    ),
    # "Verify webhook signatures manually".
    Sender(
        kind=SourceKind.STRIPE,
        label=_("Stripe webhooks"),
        scheme=HmacScheme(
            header="stripe-signature",
            signed="{time}.{body}",
            prefix="v1=",
            split=",",
            time="part:t",
        ),
        name="stripe.com",
        type_from=("body:type",),
        id_from=("body:id",),
        time_from="body:created",
        makes_secret=True,
        secret_help=_("The signing secret of the endpoint, which begins with whsec_."),
    ),
    # Alertmanager, "Configuration", http_config. It repeats an alert with the same body.
    Sender(
        kind="alertmanager",
        label="Alertmanager",
        scheme=TokenScheme(ways=WAYS),
        name="prometheus.io",
        type_from=("body:status",),
        resource_from="body:groupKey",
        is_repeated=True,
        secret_help=_AUTHORIZATION,
    ),
    # Amazon EventBridge, "Authorization methods for API destinations".
    Sender(
        kind=SourceKind.EVENTBRIDGE,
        label=_("Amazon EventBridge (API destinations)"),
        scheme=TokenScheme(header="x-api-key", ways=WAYS),
        name="eventbridge",
        type_from=("body:detail-type",),
        id_from=("body:id",),
        time_from="body:time",
        secret_help=_(
            "Leave it empty: one is made, and shown once. Enter it at the connection as the value "
            "of an API key with the name x-api-key, or as password of basic authentication."
        ),
    ),
    # See `events.schemes.sns`.
    Sender(
        kind=SourceKind.SNS,
        label="Amazon SNS",
        scheme=SnsScheme(),
        name="sns.amazonaws.com",
        type_from=("body:Type",),
        id_from=("body:MessageId",),
        time_from="body:Timestamp",
        resource_from="body:TopicArn",
        makes_secret=True,
        secret_help=_("The ARN of the topic: SNS signs by a certificate, and has no secret."),
        marks=("x-amz-sns-message-type",),
    ),
    # Bitbucket, "Manage webhooks", secure webhooks. The id of Data Center is X-Request-Id.
    Sender(
        kind="bitbucket",
        label="Bitbucket",
        scheme=_of_body("x-hub-signature", "sha256="),
        name="bitbucket.org",
        type_from=("header:x-event-key",),
        id_from=("header:x-request-uuid", "header:x-request-id"),
        resource_from="body:repository.full_name",
        secret_help=_ANY_TEXT,
        marks=("x-event-key",),
    ),
    # Clerk, "Sync Clerk data to your app with webhooks": by Svix.
    Sender(
        kind="clerk",
        label="Clerk",
        name="clerk.com",
        secret_help=_("The signing secret of the endpoint, which begins with whsec_."),
        time_from="body:timestamp",
        **_SVIX,
    ),
    # Discord, "Setting Up an Endpoint", validating security request headers.
    Sender(
        kind=SourceKind.DISCORD,
        label="Discord",
        scheme=PublicKeyScheme(
            header="x-signature-ed25519", time="x-signature-timestamp", algorithm=ED25519
        ),
        name="discord.com",
        id_from=("body:id",),
        makes_secret=True,
        secret_help=_("The public key, under General Information of the application."),
    ),
    # Gitea, "Webhooks". Forgejo sends the same headers.
    Sender(
        kind="gitea",
        label=_("Gitea and Forgejo"),
        scheme=_of_body("x-gitea-signature"),
        name="gitea.com",
        type_from=("header:x-gitea-event",),
        id_from=("header:x-gitea-delivery",),
        resource_from="body:repository.full_name",
        secret_help=_ANY_TEXT,
        marks=("x-gitea-event",),
    ),
    # GitLab, "Webhooks", secret token. The Idempotency-Key stays the same in retries.
    Sender(
        kind="gitlab",
        label=_("GitLab (secret token)"),
        scheme=TokenScheme(header="x-gitlab-token"),
        name="gitlab.com",
        type_from=("header:x-gitlab-event",),
        id_from=("header:idempotency-key",),
        resource_from="body:project.path_with_namespace",
        is_repeated=True,
        secret_help=_ANY_TEXT,
        marks=("x-gitlab-event",),
    ),
    # GitLab, "Webhooks", signing token: as in Standard Webhooks.
    Sender(
        kind="gitlab-signed",
        label=_("GitLab (signing token)"),
        scheme=_standard("webhook"),
        name="gitlab.com",
        type_from=("header:x-gitlab-event",),
        id_from=("header:webhook-id",),
        resource_from="body:project.path_with_namespace",
        secret_help=_ANY_TEXT,
        marks=("x-gitlab-event",),
    ),
    # Grafana, "Configure webhook notifications", authorization header.
    Sender(
        kind="grafana",
        label="Grafana",
        scheme=TokenScheme(ways=WAYS),
        name="grafana.com",
        type_from=("body:status",),
        resource_from="body:groupKey",
        is_repeated=True,
        secret_help=_AUTHORIZATION,
    ),
    # Jira Cloud, "Webhooks", secure admin webhooks. The identifier stays the same in retries.
    Sender(
        kind="jira",
        label="Jira",
        scheme=_of_body("x-hub-signature", "sha256="),
        name="jira.atlassian.com",
        type_from=("body:webhookEvent",),
        id_from=("header:x-atlassian-webhook-identifier",),
        time_from="body:timestamp",
        resource_from="body:issue.key",
        secret_help=_ANY_TEXT,
        marks=("x-atlassian-webhook-identifier",),
    ),
    # Linear, "Webhooks", securing webhooks.
    Sender(
        kind="linear",
        label="Linear",
        scheme=_of_body("linear-signature", time="body:webhookTimestamp", time_form=MILLISECONDS),
        name="linear.app",
        type_from=("body:type", "header:linear-event"),
        id_from=("header:linear-delivery",),
        time_from="body:createdAt",
        resource_from="body:url",
        makes_secret=True,
        secret_help=_("The signing secret, on the page of the webhook."),
        marks=("linear-delivery",),
    ),
    # Meta, "Webhooks", validating payloads. Bodies have ids and times of their own.
    Sender(
        kind=SourceKind.META,
        label=_("Meta (Facebook, Instagram, WhatsApp)"),
        scheme=_of_body("x-hub-signature-256", "sha256="),
        name="meta.com",
        type_from=("body:object",),
        makes_secret=True,
        secret_help=_("The app secret, under Settings, Basic of the app."),
    ),
    # Paddle, "Signature verification".
    Sender(
        kind="paddle",
        label="Paddle",
        scheme=HmacScheme(
            header="paddle-signature",
            signed="{time}:{body}",
            prefix="h1=",
            split=";",
            time="part:ts",
        ),
        name="paddle.com",
        type_from=("body:event_type",),
        id_from=("body:event_id",),
        time_from="body:occurred_at",
        makes_secret=True,
        secret_help=_("The secret key of the notification destination."),
    ),
    # PagerDuty, "Verifying webhook signatures".
    Sender(
        kind="pagerduty",
        label="PagerDuty",
        scheme=_of_body("x-pagerduty-signature", "v1=", split=","),
        name="pagerduty.com",
        type_from=("body:event.event_type",),
        id_from=("body:event.id",),
        time_from="body:event.occurred_at",
        resource_from="body:event.data.id",
        makes_secret=True,
        secret_help=_("The secret that PagerDuty shows when you add the subscription."),
    ),
    # Resend, "Verify webhooks requests": by Svix.
    Sender(
        kind="resend",
        label="Resend",
        name="resend.com",
        secret_help=_("The signing secret of the webhook, which begins with whsec_."),
        time_from="body:created_at",
        **_SVIX,
    ),
    # SendGrid, "Getting started with the Event Webhook Security Features".
    Sender(
        kind=SourceKind.SENDGRID,
        label="SendGrid",
        scheme=PublicKeyScheme(
            header="x-twilio-email-event-webhook-signature",
            time="x-twilio-email-event-webhook-timestamp",
            algorithm=ECDSA,
            tolerance=DAY_SECONDS,
        ),
        name="sendgrid.com",
        type_from=("body:event",),
        id_from=("body:sg_event_id",),
        time_from="body:timestamp",
        makes_secret=True,
        secret_help=_("The verification key of the signed event webhook: its public key."),
    ),
    # Sentry, "Webhooks" of the integration platform.
    Sender(
        kind="sentry",
        label="Sentry",
        scheme=_of_body("sentry-hook-signature"),
        name="sentry.io",
        type_from=("header:sentry-hook-resource",),
        id_from=("header:request-id",),
        makes_secret=True,
        secret_help=_("The client secret of the integration."),
        marks=("sentry-hook-resource",),
    ),
    # Shopify, "Deliver webhooks through HTTPS", and "Ignore duplicates": one event may be told to
    # several subscriptions, and has the same id in each.
    Sender(
        kind="shopify",
        label="Shopify",
        scheme=_of_body("x-shopify-hmac-sha256", encoding=BASE64),
        name="shopify.com",
        type_from=("header:x-shopify-topic",),
        id_from=("header:x-shopify-event-id", "header:x-shopify-webhook-id"),
        time_from="header:x-shopify-triggered-at",
        resource_from="header:x-shopify-shop-domain",
        makes_secret=True,
        secret_help=_("The client secret of the app, or what the page of notifications shows."),
        marks=("x-shopify-topic",),
    ),
    # Square, "Validate notifications": the address and the body.
    Sender(
        kind="square",
        label="Square",
        scheme=_of_body("x-square-hmacsha256-signature", signed="{url}{body}", encoding=BASE64),
        name="squareup.com",
        type_from=("body:type",),
        id_from=("body:event_id",),
        time_from="body:created_at",
        resource_from="body:merchant_id",
        makes_secret=True,
        secret_help=_("The signature key of the webhook subscription."),
    ),
    # Svix, "Verifying payloads manually".
    Sender(
        kind=SourceKind.SVIX,
        label=_("Svix, and who sends by it"),
        name="svix.com",
        secret_help=_("The signing secret of the endpoint, which begins with whsec_."),
        **_SVIX,
    ),
    # See `events.schemes.twilio`. Twilio's retries have the same token.
    Sender(
        kind=SourceKind.TWILIO,
        label="Twilio",
        scheme=TwilioScheme(),
        name="twilio.com",
        id_from=("header:i-twilio-idempotency-token",),
        makes_secret=True,
        secret_help=_("The auth token of the account."),
        marks=("i-twilio-idempotency-token",),
    ),
    # Typeform, "Secure your webhooks".
    Sender(
        kind="typeform",
        label="Typeform",
        scheme=_of_body("typeform-signature", "sha256=", encoding=BASE64),
        name="typeform.com",
        type_from=("body:event_type",),
        id_from=("body:event_id",),
        time_from="body:form_response.submitted_at",
        resource_from="body:form_response.form_id",
        secret_help=_ANY_TEXT,
    ),
    # Zoom, "Using webhooks", verify with Zoom's header. Bodies have a time in milliseconds.
    Sender(
        kind=SourceKind.ZOOM,
        label="Zoom",
        scheme=HmacScheme(
            header="x-zm-signature",
            signed="v0:{time}:{body}",
            prefix="v0=",
            time="header:x-zm-request-timestamp",
        ),
        name="zoom.us",
        type_from=("body:event",),
        time_from="body:event_ts",
        resource_from="body:payload.object.id",
        makes_secret=True,
        secret_help=_("The secret token of the app's feature Access."),
    ),
    Sender(
        kind=SourceKind.WEBHOOK,
        label=_("Signed webhooks"),
        group=GENERAL,
        scheme=_standard("webhook"),
        id_from=("header:webhook-id",),
        secret_help=_ANY_TEXT,
    ),
    Sender(
        kind=SourceKind.HMAC,
        label=_("Another signature (HMAC)"),
        group=GENERAL,
        secret_help=_("What the sender shows, or empty: one is made, and shown once."),
    ),
    Sender(
        kind=SourceKind.TOKEN,
        label=_("A token in a header"),
        group=GENERAL,
        secret_help=_AUTHORIZATION,
    ),
    Sender(kind=SourceKind.BUS, label=_("An event bus"), group=BUS),
)
