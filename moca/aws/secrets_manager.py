"""Secrets of AWS Secrets Manager, read where they are used and kept nowhere."""

from botocore.exceptions import BotoCoreError, ClientError

from moca.aws import client


class SecretError(Exception):
    """A secret cannot be read; the message says what to do about it, and has no secret in it."""


def secret(arn: str, setting: str) -> str:
    """The text of a secret as it is now.

    Args:
        arn: the secret's ARN, which says its region.
        setting: where the ARN was set, for the error's message.

    Raises:
        SecretError: there is no such secret, it may not be read, or no answer came.
    """
    region = arn.split(":")[3] if arn.count(":") > 3 else None
    try:
        answer = client("secretsmanager", region).get_secret_value(SecretId=arn)
    except ClientError as error:
        told = error.response["Error"]
        if told["Code"] == "ResourceNotFoundException":
            advice = "there is no such secret: correct the setting, or create it"
        elif told["Code"] in ("AccessDeniedException", "AccessDenied"):
            advice = "this role lacks secretsmanager:GetSecretValue on it"
        else:
            advice = told.get("Message") or told["Code"]
        raise SecretError(f"{setting}, {arn}, cannot be read: {advice}.") from error
    except BotoCoreError as error:
        raise SecretError(f"{setting}, {arn}, cannot be read: {error}.") from error
    text: str = answer.get("SecretString") or ""
    if not text:
        raise SecretError(f"{setting}, {arn}, has no text: store the secret as text.")
    return text
