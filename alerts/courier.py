"""Delivers what the outbox has: gathers happenings, sends messages, and retries for a day.

The local scheduler process and the web server run a `Courier` beside their work. On AWS, the
handler calls `deliver()` each minute. Any number of processes may deliver at a time: each claims a
message before it sends it. A process that dies in between leaves a claim that ends, and the message
is sent again with the same id.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.utils import timezone

from alerts import channels, payload, rules, texts
from alerts.channels import ChannelError, Message
from alerts.failures import BROKE_OFF, CHANNEL_IS_OFF, NO_CHANNEL
from alerts.gather import gather, make_deliveries
from alerts.happenings import Happening
from alerts.models import Channel, Delivery, DeliveryState
from alerts.outbox import tell
from moca import audit, reasons
from moca.concurrency import ConflictError
from moca.retry import backoff
from moca.sentences import Reason

logger = logging.getLogger(__name__)

# How long a message is retried, and the pauses between its tries: they double up to LONGEST_PAUSE.
RETRIED = timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=4)
# A process that has not finished a try after so long has died.
CLAIM = timedelta(minutes=5)
# Due messages that one read covers, those of one channel and of all that are claimed together, and
# how many are sent at a time. All that are claimed are tried before their claims end, however long
# each takes.
MOST = 200
MOST_OF_A_CHANNEL = 4
MOST_CLAIMED = 16
CONCURRENCY = 8
# How often a process looks for work; and how often while there are no rules.
POLL_SECONDS, IDLE_SECONDS = 5.0, 60.0
STOP_SECONDS = 5.0


Clock = Callable[[], datetime]


@dataclass(slots=True)
class _Try:
    """A claimed delivery, and what came of it."""

    delivery: Delivery
    channel: Channel
    warning: str = ""
    error: Reason | None = None
    gone: bool = False


def deliver(*, seconds: float = 20.0, clock: Clock = timezone.now) -> int:
    """Gather happenings and send what is due.

    Args:
        seconds: after so long, no further try begins.
        clock: returns the present.

    Returns:
        How many messages were delivered.
    """
    end = time.monotonic() + seconds
    now = clock()
    gather()
    make_deliveries(now)
    sent, tried, served = 0, 0, set[str]()
    while time.monotonic() < end:
        chosen = _some_of_each_channel(_due(clock(), served))
        if not chosen and not tried:
            break
        if not chosen:
            tried, served = 0, set()
            continue
        served.update(delivery.channel_id for delivery in chosen)
        tries = _claim(chosen, clock)
        _send(tries)
        sent += sum(_finish(each, clock()) for each in tries)
        tried += len(tries)
    return sent


def _due(now: datetime, served: set[str]) -> Iterable[Delivery]:
    """The due deliveries of the channels that have not had their turn since all others had."""
    due = Delivery.objects.due(now)
    return (due.exclude(channel_id__in=sorted(served)) if served else due)[:MOST]


def _some_of_each_channel(due: Iterable[Delivery]) -> list[Delivery]:
    """At most MOST_OF_A_CHANNEL of each channel: one that is down does not hold up the others."""
    counted: Counter[str] = Counter()
    chosen = []
    for delivery in due:
        counted[delivery.channel_id] += 1
        if counted[delivery.channel_id] <= MOST_OF_A_CHANNEL:
            chosen.append(delivery)
    return chosen[:MOST_CLAIMED]


def _claim(due: Iterable[Delivery], clock: Clock) -> list[_Try]:
    """Claim deliveries for a try each; those that cannot be tried end as undelivered."""
    found: dict[str, Channel | None] = {}
    claimed = []
    for delivery in due:
        key = delivery.channel_id
        if key not in found:
            found[key] = Channel.objects.filter(pk=key).first()
        channel = found[key]
        if channel is None or not channel.enabled:
            _end(delivery, CHANNEL_IS_OFF() if channel else NO_CHANNEL(), clock())
        elif _claim_one(delivery, clock()):
            claimed.append(_Try(delivery, channel))
    return claimed


def _claim_one(delivery: Delivery, now: datetime) -> bool:
    """Claim a delivery; False if another process has it."""
    same = Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.WAITING, tries=delivery.tries
    )
    try:
        same.update_expected(tries=delivery.tries + 1, next_at=now + CLAIM)
    except ConflictError:
        return False
    delivery.tries += 1
    return True


def message_of(delivery: Delivery, channel: Channel) -> Message:
    """What a channel is sent of a delivery."""
    text = texts.text_of(delivery, channel.language)
    body = payload.body_of(delivery, channel)
    return Message(delivery.pk, text, body, delivery.made_at)


def _send(tries: list[_Try]) -> None:
    """Send messages, several at a time. The threads touch no database."""
    if not tries:
        return
    with ThreadPoolExecutor(min(CONCURRENCY, len(tries)), thread_name_prefix="alert") as pool:
        list(pool.map(_send_one, tries))


def _send_one(one: _Try) -> None:
    try:
        one.warning = channels.send(one.channel, message_of(one.delivery, one.channel))
    except ChannelError as error:
        one.error, one.gone = error.reason, error.gone
    except Exception:
        logger.exception("An alert could not be sent", extra={"deliveryId": one.delivery.pk})
        one.error = BROKE_OFF()


def _finish(one: _Try, now: datetime) -> bool:
    """Note what came of a try; True if the message was delivered."""
    delivery = one.delivery
    if one.error is None:
        _note(delivery, state=DeliveryState.SENT, ended_at=now, **_error(one.warning))
        return True
    ids = {"deliveryId": delivery.pk, "channelId": one.channel.pk}
    logger.info("An alert was not delivered: %s", one.error.code.name, extra=ids)
    if one.gone:
        switch_off(one.channel, one.error)
    pause = _pause(delivery.tries)
    if one.gone or now + pause > delivery.first_at + RETRIED:
        _end(delivery, one.error, now)
    else:
        _note(delivery, next_at=now + pause, **_error(one.error))
    return False


def _pause(tries: int) -> timedelta:
    """The pause after so many tries: three quarters to five quarters of one that doubles."""
    first, longest = FIRST_PAUSE.total_seconds(), LONGEST_PAUSE.total_seconds()
    doubled = min(longest, first * 2 ** min(tries - 1, 20))
    return timedelta(seconds=0.75 * doubled + backoff(tries, first / 2, longest / 2))


def _end(delivery: Delivery, reason: Reason, now: datetime) -> None:
    logger.warning("An alert stays undelivered", extra={"deliveryId": delivery.pk})
    _note(
        delivery,
        state=DeliveryState.UNDELIVERED,
        ended_at=now,
        **_error(reason),
    )


def _note(delivery: Delivery, **values: object) -> None:
    """Write what came of a try, unless another process has taken the delivery over."""
    same = Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.WAITING, tries=delivery.tries
    )
    if not same.update(**values):
        logger.info("Another process has the alert", extra={"deliveryId": delivery.pk})


def _error(reason: str) -> dict[str, object]:
    return reasons.columns("error", reason)


def switch_off(channel: Channel, reason: Reason) -> None:
    """Switch a channel off, with an audit entry, and tell the rules of other channels."""
    try:
        with transaction.atomic():
            stored = Channel.objects.filter(pk=channel.pk).first()
            if stored is None or not stored.enabled:
                return
            stored.enabled = False
            reasons.put(stored, "off_reason", reason)
            audit.save(stored, by=audit.system("alerts"), why=reason, covered=True)
            params = {"channel": channel.name, "reason": reason}
            tell(Happening.CHANNEL_OFF, params=params)
    except ConflictError:
        logger.info("Somebody changes the channel", extra={"channelId": channel.pk})


class Courier:
    """Delivers in a thread beside a process's other work. Use it as a context manager."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-courier", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        idle_until = 0.0
        try:
            while not self._over.wait(POLL_SECONDS):
                if time.monotonic() < idle_until and not _has_rules():
                    continue
                idle_until = time.monotonic() + IDLE_SECONDS
                _deliver_safely()
        finally:
            connections.close_all()


def _has_rules() -> bool:
    try:
        return bool(rules.current())
    except DatabaseError:
        return True


def _deliver_safely() -> None:
    try:
        deliver()
    except DatabaseError as error:
        # The scheduler's turn says if the database is away.
        logger.info("Alerts wait for the database: %s", type(error).__name__)
        connections.close_all()
    except Exception:
        logger.exception("Alerts could not be delivered; trying again")
