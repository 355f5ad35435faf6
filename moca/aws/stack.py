"""Reads a CloudFormation stack's parameters and outputs, for the command `deploy_env`."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from moca.aws.clients import client


class StackError(Exception):
    """The stack cannot be read or is not ready; the message names the cause and the remedy."""


def values_of(name: str) -> dict[str, str]:
    """A stack's parameters and outputs by name; values may be empty.

    Raises:
        StackError: the stack does not exist or is not complete, or the call failed.
    """
    try:
        (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        raise StackError(_reason(name, error)) from error
    except BotoCoreError as error:
        raise StackError(f"CloudFormation could not be asked: {error}.") from error
    status = stack["StackStatus"]
    # After UPDATE_ROLLBACK_COMPLETE, all is as before the update; after ROLLBACK_COMPLETE, nothing
    # exists.
    if not status.endswith("_COMPLETE") or status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        raise StackError(
            f"The stack {name} is in the state {status}: wait until it is complete, or see its "
            "events for what failed."
        )
    return _pairs(stack, "Parameter") | _pairs(stack, "Output")


def _pairs(stack: dict[str, Any], kind: str) -> dict[str, str]:
    return {pair[f"{kind}Key"]: pair.get(f"{kind}Value", "") for pair in stack.get(f"{kind}s", [])}


def _reason(name: str, error: ClientError) -> str:
    told = error.response["Error"]
    if told["Code"] == "ValidationError":
        return (
            f"There is no stack {name} in {settings.AWS_REGION}, in this account: create it from "
            "infra/template.yaml, or give its name by --stack-name and its region by AWS_REGION."
        )
    if told["Code"] in ("AccessDenied", "AccessDeniedException"):
        return f"These credentials lack cloudformation:DescribeStacks on the stack {name}."
    return f"The stack {name} could not be read: {told.get('Message') or told['Code']}"
