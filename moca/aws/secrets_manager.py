"""Reads secrets from AWS Secrets Manager; it caches none."""

from botocore.exceptions import BotoCoreError, ClientError

from moca.aws.clients import client


class SecretError(Exception):
    """A secret cannot be read; the message names the cause and the remedy, and has no secret."""


def secret(arn: str, setting: str) -> str:
    """The current text of a secret.

    Args:
        arn: the secret's ARN, which has its region.
        setting: the setting that has the ARN, for the error's message.

    Raises:
        SecretError: the secret does not exist or has no text, access is denied, or the call failed.
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
