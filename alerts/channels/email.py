"""Sends messages by e-mail, through the mail server of EMAIL_URL."""

import smtplib
from typing import TYPE_CHECKING

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from alerts.channels.errors import ChannelError
from alerts.failures import (
    MAIL_NOT_SET,
    MAIL_REFUSED,
    SECRET_UNREADABLE,
    SOME_REFUSED,
    TOO_SLOW,
    UNREACHABLE,
)
from alerts.models import Channel
from moca import mail
from moca.aws.secrets_manager import SecretError

if TYPE_CHECKING:
    from alerts.channels import Message

# Characters of a mail server's answer that are kept.
LONGEST_ANSWER = 300


def send(channel: Channel, message: "Message") -> str:
    """Send one e-mail to each address; see `alerts.channels.send()`."""
    if not mail.is_set():
        raise ChannelError(MAIL_NOT_SET())
    refused: dict[str, str] = {}
    try:
        with mail.connection() as connection:
            for address in channel.recipients.split():
                if answer := _refusal(connection, address, message):
                    refused[address] = answer
    except SecretError as error:
        raise ChannelError(SECRET_UNREADABLE(error=str(error))) from error
    except mail.MailError as error:
        raise ChannelError(MAIL_REFUSED(error=str(error))) from error
    except TimeoutError as error:
        raise ChannelError(TOO_SLOW(seconds=mail.SECONDS)) from error
    except smtplib.SMTPResponseException as error:
        raise ChannelError(MAIL_REFUSED(error=_said(error))) from error
    except (OSError, smtplib.SMTPException) as error:
        raise ChannelError(UNREACHABLE(error=type(error).__name__)) from error
    if len(refused) == len(channel.recipients.split()):
        raise ChannelError(MAIL_REFUSED(error=next(iter(refused.values()), "")))
    return SOME_REFUSED(names=", ".join(refused)) if refused else ""


def _refusal(connection: BaseEmailBackend, address: str, message: "Message") -> str:
    """Send to one address; returns what the server said if it refuses this address."""
    mail_to = EmailMessage(
        message.text.subject,
        message.text.body,
        mail.sender(),
        [address],
        connection=connection,
        headers={
            "Message-ID": f"<{message.id}@moca-triggers>",
            "Date": _date(message),
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        mail_to.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (0, b""))
        return _answer(code, said)
    return ""


def _date(message: "Message") -> str:
    return message.made_at.strftime("%a, %d %b %Y %H:%M:%S +0000")


def _said(error: smtplib.SMTPResponseException) -> str:
    return _answer(error.smtp_code, error.smtp_error)


def _answer(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {text}"[:LONGEST_ANSWER]
