"""Keeps the secrets of channels: Apprise URLs, and the secrets that sign webhooks.

A row has a secret encrypted by SECRET_KEY, or on AWS by the key of ALERT_KEY_ARN. Or it has the ARN
of a secret in AWS Secrets Manager whose name begins with `alerts/`. Nothing shows the secret again.
"""

import re
from typing import TYPE_CHECKING, Any

from django.conf import settings

from alerts.channels.errors import ChannelError
from alerts.failures import SECRET_UNREADABLE
from moca import sealing
from moca.aws.secrets_manager import SecretError, secret

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

PURPOSE = "alert secrets"
ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:alerts/[\w/+=.@-]+")


def kept(text: str) -> list[dict[str, str]]:
    """What a row keeps of a secret, or of the ARN of one.

    Raises:
        SecretError: the key of ALERT_KEY_ARN cannot be read.
    """
    if ARN.fullmatch(text):
        return [{"arn": text}]
    return [{"sealed": _fernet().encrypt(text.encode()).decode()}]


def read(kept: Any) -> str:
    """The secret of a row, in plain text.

    Raises:
        ChannelError: there is none, or it cannot be read; the reason names the remedy.
    """
    from cryptography.fernet import InvalidToken  # 17 ms of the handler, which may send nothing

    if not isinstance(kept, list) or not kept or not isinstance(kept[0], dict):
        raise _unreadable("the channel has none. Enter it again.")
    [one] = kept[:1]
    try:
        if "arn" in one:
            return secret(str(one["arn"]), "the channel's secret").strip()
        sealed = str(one.get("sealed", "")).encode()
        return _fernet().decrypt(sealed).decode()
    except SecretError as error:
        raise _unreadable(str(error)) from error
    except InvalidToken as error:
        raise _unreadable(
            "it was sealed with another SECRET_KEY. Add that key to SECRET_KEY_FALLBACKS, or enter "
            "the secret again. On AWS, set ALERT_KEY_ARN for both functions."
        ) from error


def _unreadable(why: str) -> ChannelError:
    return ChannelError(SECRET_UNREADABLE(error=why))


def _fernet() -> "MultiFernet":
    # On AWS, the function that delivers has another SECRET_KEY than the one with the pages.
    return sealing.fernet(PURPOSE, settings.ALERT_KEY_ARN)
