"""The JSON body of a signed webhook. It is the same for each try of a delivery."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import translation

from alerts import texts
from alerts.gather import groups_of
from alerts.models import Channel, Delivery

ALERT, TEST = "moca.alert", "moca.alert.test"


def body_of(delivery: Delivery, channel: Channel) -> bytes:
    """The body that tells of a delivery."""
    text = texts.text_of(delivery, channel.language)
    if delivery.is_test:
        return _test_body(delivery, text)
    with translation.override(channel.language):
        happenings = [_happening(group) for group in groups_of(delivery)]
    data = {
        "id": delivery.pk,
        "ruleId": delivery.rule_id,
        "ruleName": delivery.rule_name,
        "number": delivery.number,
        "more": delivery.contents.get("more", 0),
        "subject": text.subject,
        "text": text.body,
        "url": text.link or None,
        "happenings": happenings,
    }
    return _dumped(ALERT, delivery.made_at, data)


def _test_body(delivery: Delivery, text: texts.Text) -> bytes:
    data = {"id": delivery.pk, "subject": text.subject, "text": text.body, "url": text.link or None}
    return _dumped(TEST, delivery.made_at, data)


def _happening(group: Mapping[str, Any]) -> dict[str, Any]:
    said = texts.paragraph_of(group)
    return {
        "kind": group["kind"],
        "count": group["count"],
        "triggerId": group.get("triggerId") or None,
        "triggerName": group.get("triggerName") or None,
        "userId": group.get("userId") or None,
        "executionId": group.get("executionId") or None,
        "firstAt": group["firstAt"],
        "lastAt": group["lastAt"],
        "title": said.title,
        "reason": said.reason or None,
        "advice": said.advice or None,
        "output": said.output or None,
        "url": said.link or None,
    }


def _dumped(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    body = {"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
