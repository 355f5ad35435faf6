"""The kinds of event sources that code names, in a module that models and validation can import.

`events.senders` has the kinds of all senders.
"""


class SourceKind:
    """Says where a source's events come from, and how they are signed."""

    BUS = "bus"
    WEBHOOK = "webhook"
    HMAC = "hmac"
    TOKEN = "token"  # noqa: S105
    GITHUB = "github"
    SLACK = "slack"
    STRIPE = "stripe"
    SVIX = "svix"
    META = "meta"
    ZOOM = "zoom"
    DISCORD = "discord"
    EVENTBRIDGE = "eventbridge"
    SENDGRID = "sendgrid"
    SNS = "sns"
    TWILIO = "twilio"
