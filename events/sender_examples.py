"""Bodies that senders send, short, with fields from each sender's documentation."""

from datetime import datetime
from typing import Any

from moca.times import iso


def bodies(now: datetime) -> dict[str, Any]:
    """An example of a body by kind of source, as if it came now."""
    seconds, text = int(now.timestamp()), iso(now)
    alerts = {
        "status": "firing",
        "groupKey": '{}:{alertname="DiskFull"}',
        "commonLabels": {"alertname": "DiskFull", "severity": "critical"},
        "alerts": [{"status": "firing", "labels": {"instance": "db-1"}, "startsAt": text}],
    }
    merge_request = {
        "object_kind": "merge_request",
        "project": {"path_with_namespace": "acme/meadow"},
        "object_attributes": {"iid": 42, "title": "Count the sheep", "action": "open"},
    }
    return {
        "github": {
            "action": "opened",
            "number": 42,
            "pull_request": {"title": "Count the sheep", "user": {"login": "octocat"}},
            "repository": {"full_name": "acme/meadow"},
        },
        "slack": {
            "type": "event_callback",
            "event_id": "Ev0EXAMPLE",
            "event_time": seconds,
            "team_id": "T0EXAMPLE",
            "event": {"type": "app_mention", "channel": "C0EXAMPLE", "text": "Count the sheep"},
        },
        "stripe": {
            "id": "evt_example",
            "type": "invoice.paid",
            "created": seconds,
            "data": {"object": {"id": "in_example", "amount_paid": 1250, "currency": "eur"}},
        },
        "alertmanager": {"version": "4", **alerts},
        "grafana": {"title": "[FIRING:1] DiskFull", "state": "alerting", **alerts},
        "eventbridge": {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "123456789012",
            "time": text,
            "region": "eu-central-1",
            "resources": ["arn:aws:s3:::reports"],
            "detail": {"bucket": {"name": "reports"}, "object": {"key": "october.pdf"}},
        },
        "sns": {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:orders",
            "Subject": "Paid",
            "Message": '{"order": 4711}',
            "Timestamp": text,
        },
        "bitbucket": {
            "pullrequest": {"id": 42, "title": "Count the sheep", "state": "OPEN"},
            "repository": {"full_name": "acme/meadow"},
        },
        "clerk": {
            "type": "user.created",
            "object": "event",
            "timestamp": seconds * 1000,
            "data": {"id": "user_example", "first_name": "Mary"},
        },
        "discord": {
            "id": "846462639134605312",
            "type": 2,
            "application_id": "775799577604522054",
            "data": {"name": "count", "options": [{"name": "what", "value": "sheep"}]},
            "member": {"user": {"id": "53908232506183680", "username": "mary"}},
        },
        "gitea": {
            "action": "opened",
            "number": 42,
            "pull_request": {"title": "Count the sheep"},
            "repository": {"full_name": "acme/meadow"},
        },
        "gitlab": merge_request,
        "gitlab-signed": merge_request,
        "jira": {
            "timestamp": seconds * 1000,
            "webhookEvent": "jira:issue_created",
            "issue": {"key": "MEADOW-42", "fields": {"summary": "Count the sheep"}},
        },
        "linear": {
            "action": "create",
            "type": "Issue",
            "createdAt": text,
            "data": {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "title": "Count the sheep"},
            "url": "https://linear.app/acme/issue/MEA-42",
            "webhookTimestamp": seconds * 1000,
        },
        "meta": {
            "object": "whatsapp_business_account",
            "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": {}}]}],
        },
        "paddle": {
            "event_id": "evt_01hv8x2aycfhgbpgw6k2jzvdz7",
            "event_type": "transaction.paid",
            "occurred_at": text,
            "data": {"id": "txn_01hv8x29kz0t586xy6zn1a62ny", "currency_code": "EUR"},
        },
        "pagerduty": {
            "event": {
                "id": "01CH754SM17TWPE2V2H4VPBRO7",
                "event_type": "incident.triggered",
                "occurred_at": text,
                "data": {"id": "PGR0VU2", "title": "The disk is full", "urgency": "high"},
            }
        },
        "resend": {
            "type": "email.bounced",
            "created_at": text,
            "data": {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "to": ["mary@acme.test"]},
        },
        "sendgrid": [
            {
                "email": "mary@acme.test",
                "event": "bounce",
                "sg_event_id": "ZGVmZXJyZWQtMA",
                "sg_message_id": "14c5d75ce93",
                "timestamp": seconds,
            }
        ],
        "sentry": {
            "action": "created",
            "data": {"issue": {"id": "1170820242", "title": "ZeroDivisionError"}},
        },
        "shopify": {"id": 820982911946154508, "financial_status": "paid", "total_price": "12.50"},
        "square": {
            "merchant_id": "6SSW7HV8K2ST5",
            "type": "payment.created",
            "event_id": "13b867cf-db3d-4b1c-90b6-2f32a9d78124",
            "created_at": text,
            "data": {"type": "payment", "id": "KkAkhdMsgzn59SM8A89WgKwekxLZY"},
        },
        "svix": {"type": "invoice.paid", "data": {"id": "invoice_example"}},
        "twilio": {
            "MessageSid": "SM00000000000000000000000000000000",
            "SmsStatus": "received",
            "From": "+15005550006",
            "To": "+15005550009",
            "Body": "Count the sheep",
        },
        "typeform": {
            "event_id": "LtWXD3crgy",
            "event_type": "form_response",
            "form_response": {"form_id": "lT4Z3j", "submitted_at": text, "answers": []},
        },
        "zoom": {
            "event": "meeting.started",
            "event_ts": seconds * 1000,
            "payload": {"account_id": "abc", "object": {"id": "1234567890", "topic": "Sheep"}},
        },
    }
