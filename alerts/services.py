"""The only write path of channels and rules. The admin, the pages and the API call it.

It writes each change with its audit entry, or not at all.
"""

from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from threading import BoundedSemaphore

from django.db import transaction
from django.utils import timezone

from alerts import channel_secrets, channels, courier
from alerts.channels import ChannelError
from alerts.failures import BROKE_OFF, MANY_TESTS
from alerts.happenings import DEFAULTS
from alerts.models import KEPT, Bundle, Channel, ChannelKind, Delivery, DeliveryState, Rule
from moca import audit, reasons, sealing
from moca.concurrency import ConflictError, rewrite

# How many test messages wait for receivers at a time, because each occupies a thread of the web
# server, by e-mail for two minutes.
_free = BoundedSemaphore(2)

# Exceptions that refuse a change. Their message is for the operator.
REFUSALS: tuple[type[Exception], ...] = (ConflictError, Channel.DoesNotExist, Rule.DoesNotExist)


def set_secret(channel: Channel, text: str) -> None:
    """Set the secret of a channel, unsaved, and what pages show of it.

    Args:
        channel: the channel, with its kind.
        text: an Apprise URL or the secret that signs webhooks, or the ARN of one.

    Raises:
        ChannelError: the URL or the secret is not understood, or the ARN cannot be read.
        SecretError: the key that seals secrets cannot be read.
    """
    channel.secrets = channel_secrets.kept(text)
    url = channel_secrets.read(channel.secrets)
    if channel.kind != ChannelKind.APPRISE:
        import_module("alerts.channels.webhook").signer_of(url)
        return
    import_module("alerts.channels.apprise").service_of(url)
    channel.url = url.partition("://")[0].lower() + "://…"


def save(channel: Channel, *, by: str) -> str:
    """Create or change a channel that the caller has validated.

    A channel for webhooks without a secret gets one.

    Returns:
        The new secret, which is shown once; empty if there is none.

    Raises:
        ConflictError: somebody else changed the channel since it was read.
        SecretError: the key that seals secrets cannot be read.
    """
    made = ""
    if channel.kind == ChannelKind.WEBHOOK and not channel.secrets:
        made = sealing.new_signing_secret()
        channel.secrets = channel_secrets.kept(made)
    if channel.kind == ChannelKind.EMAIL:
        channel.secrets, channel.url = [], ""
    else:
        channel.recipients = ""
    if channel.enabled:
        reasons.put(channel, "off_reason", "")
    audit.save(channel, by=by)
    return made


def new_secret(channel: Channel, *, by: str) -> str:
    """Give a channel for webhooks a new secret, and return it; the old one is gone at once."""
    secret = sealing.new_signing_secret()

    def write() -> None:
        channel.secrets = channel_secrets.kept(secret)
        audit.save(channel, by=by, covered=True)

    rewrite(channel, write)
    return secret


def change(channel: Channel, apply: Callable[[Channel], None], *, by: str) -> None:
    """Read a channel, change it by `apply`, which validates it, and save it, in one transaction.

    Raises:
        Channel.DoesNotExist: there is no such channel.
        ConflictError: others changed it at each attempt.
    """

    def write() -> None:
        apply(channel)
        save(channel, by=by)

    rewrite(channel, write)


def delete(channel: Channel, *, by: str) -> None:
    """Delete a channel. What waits for it stays undelivered."""
    rewrite(channel, lambda: audit.delete(channel, by=by))


def save_rule(rule: Rule, *, by: str) -> None:
    """Create or change a rule that the caller has validated; raises the errors of `save()`."""
    audit.save(rule, by=by)


def change_rule(rule: Rule, apply: Callable[[Rule], None], *, by: str) -> None:
    """Read a rule, change and save it; see `change()`."""

    def write() -> None:
        apply(rule)
        audit.save(rule, by=by, covered=True)

    rewrite(rule, write)


def delete_rule(rule: Rule, *, by: str) -> None:
    """Delete a rule, and what it has gathered for its next message."""

    # The deletion takes the key off the row.
    key = rule.pk

    def write() -> None:
        audit.delete(rule, by=by)
        Bundle.objects.filter(pk=key).discard()

    rewrite(rule, write)


def rules_of(channel: Channel) -> list[Rule]:
    """The rules that send to a channel."""
    return [rule for rule in Rule.objects.all() if rule.channel_id == channel.pk]


def make_default(recipients: str, language: str, *, by: str) -> Channel:
    """Make a channel for e-mail and a rule that tells of failures, which nobody has set up yet."""
    channel = Channel(
        name=recipients[:200], kind=ChannelKind.EMAIL, recipients=recipients, language=language
    )
    channel.full_clean()
    rule = Rule(name="Failures", channel_id=channel.pk, kinds=[str(kind) for kind in DEFAULTS])
    rule.full_clean()
    with transaction.atomic():
        save(channel, by=by)
        save_rule(rule, by=by)
    return channel


def test(channel: Channel) -> str:
    """Send a test message now, and keep it as a delivery that belongs to no rule.

    Nothing retries it by itself.

    Returns:
        A warning, or an empty text.

    Raises:
        ChannelError: it was not taken, or others wait for their receivers.
    """
    if not _free.acquire(blocking=False):
        raise ChannelError(MANY_TESTS())
    try:
        return _send_test(channel)
    finally:
        _free.release()


def _send_test(channel: Channel) -> str:
    now = timezone.now()
    delivery = Delivery(
        channel_id=channel.pk,
        channel_name=channel.name,
        contents={"isTest": True},
        state=DeliveryState.UNDELIVERED,
        made_at=now,
        first_at=now,
        tries=1,
        ttl=int((now + KEPT).timestamp()),
    )
    try:
        warning = channels.send(channel, courier.message_of(delivery, channel))
        delivery.state = DeliveryState.SENT
        reasons.put(delivery, "error", warning)
        return warning
    except Exception as error:
        reason = error.reason if isinstance(error, ChannelError) else BROKE_OFF()
        reasons.put(delivery, "error", reason)
        raise
    finally:
        delivery.ended_at = timezone.now()
        delivery.save(force_insert=True)


def send_again(delivery: Delivery, now: datetime) -> bool:
    """Have a delivery tried again, for a day, with the same id; False if it waits anyway."""
    same = Delivery.objects.filter(pk=delivery.pk, state=delivery.state)
    if delivery.state == DeliveryState.WAITING:
        return bool(same.filter(tries=delivery.tries).update(next_at=now))
    return bool(
        same.update(
            state=DeliveryState.WAITING,
            tries=0,
            first_at=now,
            next_at=now,
            ended_at=None,
            ttl=int((now + KEPT).timestamp()),
        )
    )
