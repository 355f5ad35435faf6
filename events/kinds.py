"""The kinds of event sources, in a module of their own that models and validation can import."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SourceKind(models.TextChoices):
    """Says where a source's events come from, and how they are signed."""

    BUS = "bus", _("An event bus")
    WEBHOOK = "webhook", _("Signed webhooks")
    GITHUB = "github", _("GitHub webhooks")
    SLACK = "slack", _("Slack events")
    STRIPE = "stripe", _("Stripe webhooks")
