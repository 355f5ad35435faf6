"""System checks: configuration that is missing or contradicts itself, and how to set it."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning

from moca.local_keys import is_private

AGENT_AUTHS = ("cognito", "cognito-user", "static", "api-key", "sigv4", "none")
AGENT_PROTOCOLS = ("invocations", "agentcore", "ag-ui", "a2a", "openai")
RUNTIME_ARN = re.compile(r"arn:aws[\w-]*:bedrock-agentcore:[\w-]+:\d{12}:runtime/[\w-]+(\?.*)?")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RATE_LIMIT = re.compile(r"[1-9][0-9]*/(s|sec|second|min|minute|h|hour|day)")
GROUP_NAME = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
POOL_ID = re.compile(r"[\w-]+_[0-9a-zA-Z]+")
ARN = r"arn:aws[\w-]*:SERVICE:[\w-]*:\d{12}:.+"
SECRETS = (
    "SECRET_KEY",
    "COGNITO_CLIENT_SECRET",
    "COGNITO_SIGN_IN_CLIENT_SECRET",
    "COGNITO_PASSWORD",
    "AGENT_TOKEN",
)


@register()
def check_agent(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    url = urlsplit(settings.AGENT_API_URL)
    is_url = url.scheme in ("http", "https") and bool(url.netloc)
    if not (is_url or RUNTIME_ARN.fullmatch(settings.AGENT_API_URL)):
        found.append(
            Error(
                "AGENT_API_URL is neither an http(s) URL nor the ARN of an AgentCore runtime.",
                hint="Set it to the agent's address, such as https://agent.example.com.",
                id="moca.E001",
            )
        )
    if settings.AGENT_AUTH not in AGENT_AUTHS:
        found.append(
            Error(
                f"AGENT_AUTH is {settings.AGENT_AUTH!r}.",
                hint=f"Set it to one of {', '.join(AGENT_AUTHS)}.",
                id="moca.E002",
            )
        )
    if settings.AGENT_PROTOCOL not in AGENT_PROTOCOLS:
        found.append(
            Error(
                f"AGENT_PROTOCOL is {settings.AGENT_PROTOCOL!r}.",
                hint=f"Set it to one of {', '.join(AGENT_PROTOCOLS)}.",
                id="moca.E013",
            )
        )
    if not HEADER_NAME.fullmatch(settings.AGENT_KEY_HEADER):
        found.append(
            Error(
                f"AGENT_KEY_HEADER is {settings.AGENT_KEY_HEADER!r}, which is no header's name.",
                hint="Set it to a name such as X-Api-Key.",
                id="moca.E014",
            )
        )
    if settings.USES_DEMO_AGENT and os.environ.get("AGENT_AUTH"):
        found.append(
            Error(
                "AGENT_AUTH is set, but AGENT_API_URL is not: triggers would call the demo agent.",
                hint="Set AGENT_API_URL to the agent's address, or unset AGENT_AUTH.",
                id="moca.E004",
            )
        )
    if not os.access(settings.AGENT_PROMPT_TEMPLATE, os.R_OK):
        found.append(
            Error(
                f"AGENT_PROMPT_TEMPLATE, {settings.AGENT_PROMPT_TEMPLATE}, cannot be read.",
                hint="Name a Markdown file, or unset it to use the one that is shipped.",
                id="moca.E005",
            )
        )
    missing = [name for name in _needed_for(settings.AGENT_AUTH) if not _is_set(name)]
    if missing:
        found.append(
            Error(
                f"AGENT_AUTH={settings.AGENT_AUTH} needs {', '.join(missing)}.",
                hint="Set what is missing, or another AGENT_AUTH: " + ", ".join(AGENT_AUTHS) + ".",
                id="moca.E003",
            )
        )
    return found


def _is_set(name: str) -> bool:
    """Whether a setting is given, itself or by what it is read from at run time."""
    if name == "COGNITO_DOMAIN" and settings.COGNITO_USER_POOL_ID:
        return True
    return bool(getattr(settings, name) or getattr(settings, f"{name}_ARN", ""))


def _needed_for(way: str) -> list[str]:
    return {
        "cognito": ["COGNITO_DOMAIN", "COGNITO_CLIENT_ID", "COGNITO_CLIENT_SECRET"],
        "cognito-user": [
            "COGNITO_USER_POOL_ID",
            "COGNITO_CLIENT_ID",
            "COGNITO_USERNAME",
            "COGNITO_PASSWORD",
        ],
        "static": ["AGENT_TOKEN"],
        "api-key": ["AGENT_TOKEN"],
    }.get(way, [])


@register()
def check_data_directory(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    if is_private(settings.DATA_DIR):
        return []
    return [
        CheckWarning(
            f"Other accounts of this machine can enter {settings.DATA_DIR}, where the database and "
            "keys are.",
            hint="Set MOCA_DATA_DIR to a directory of its own that this account owns, or run "
            f"chmod 700 {settings.DATA_DIR}.",
            id="moca.W011",
        )
    ]


@register()
def check_sign_in(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    pool = settings.COGNITO_USER_POOL_ID
    if pool and not POOL_ID.fullmatch(pool):
        return [
            Error(
                f"COGNITO_USER_POOL_ID is {pool!r}, which is no pool's id.",
                hint="Copy the id from the Cognito console; it looks like eu-west-1_AbC123xyz.",
                id="moca.E010",
            )
        ]
    if settings.COGNITO_SIGN_IN_CLIENT_ID and not pool:
        return [
            Error(
                "COGNITO_SIGN_IN_CLIENT_ID is set, and COGNITO_USER_POOL_ID is not.",
                hint="Set the pool whose app client it is.",
                id="moca.E023",
            )
        ]
    wrong = sorted(set(settings.COGNITO_ROLES.values()) - {"admin", "editor", "viewer"})
    if wrong:
        return [
            Error(
                f"COGNITO_ROLES names {', '.join(wrong)}, which is no role.",
                hint="Set it to pairs such as operators=editor,managers=admin.",
                id="moca.E024",
            )
        ]
    return []


@register()
def check_rate_limit(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    limit = settings.API_RATE_LIMIT
    if limit and not RATE_LIMIT.fullmatch(limit):
        return [
            Error(
                f"API_RATE_LIMIT is {limit!r}.",
                hint="Write it as 600/min; the unit is s, min, hour or day. Unset: no limit.",
                id="moca.E020",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.USES_DEMO_AGENT:
        found.append(
            CheckWarning(
                "Triggers call the demo agent of this machine.",
                hint="Set AGENT_API_URL to the agent's address.",
                id="moca.W001",
            )
        )
    own = [
        name
        for name in ("SECRET_KEY", "COGNITO_USER_POOL_ID")
        if not os.environ.get(name) and not os.environ.get(f"{name}_ARN")
    ]
    if own and settings.DATABASES["default"]["ENGINE"] == "moca.dynamodb":
        found.append(
            CheckWarning(
                f"Without {' and '.join(own)}, sessions or tokens are signed by keys of this "
                "machine, and no other machine that serves this table takes them.",
                hint=f"Set {' and '.join(own)}.",
                id="moca.W002",
            )
        )
    if settings.COGNITO_USER_POOL_ID and not settings.COGNITO_APP_CLIENT_IDS:
        found.append(
            CheckWarning(
                "The API takes tokens of every app client of the user pool.",
                hint="Set COGNITO_APP_CLIENT_IDS to the app clients of your frontends.",
                id="moca.W010",
            )
        )
    if settings.TRIGGER_LAMBDA_ARN:
        found += _on_lambda()
    return found


def _on_lambda() -> Iterator[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"] != "moca.dynamodb":
        yield CheckWarning(
            "TRIGGER_LAMBDA_ARN is set, and that function does not see the database here.",
            hint="Set TRIGGERS_TABLE_NAME, or unset TRIGGER_LAMBDA_ARN.",
            id="moca.W003",
        )
    if not settings.SCHEDULE_DLQ_ARN:
        yield CheckWarning(
            "What EventBridge Scheduler cannot deliver is lost without a trace.",
            hint="Set SCHEDULE_DLQ_ARN to the ARN of a standard SQS queue.",
            id="moca.W004",
        )
    if settings.LOGGING["handlers"]["stderr"]["formatter"] != "json":  # type: ignore[index]
        yield CheckWarning(
            "Logs are lines of text, in which CloudWatch cannot search by field.",
            hint="Set LOG_FORMAT=json.",
            id="moca.W005",
        )


@register()
def check_secrets(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that each secret is given in one way, and that ARNs are those of secrets."""
    found: list[CheckMessage] = []
    for name in SECRETS:
        arn = os.environ.get(f"{name}_ARN", "")
        if arn and not re.fullmatch(ARN.replace("SERVICE", "secretsmanager"), arn):
            found.append(
                Error(
                    f"{name}_ARN is {arn!r}, which is no ARN of a secret.",
                    hint="Set it to arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.",
                    id="moca.E021",
                )
            )
        if arn and os.environ.get(name):
            found.append(
                Error(
                    f"{name} and {name}_ARN are both set.",
                    hint=f"Unset {name} to read the secret from Secrets Manager.",
                    id="moca.E022",
                )
            )
    return found


@register()
def check_scheduler(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that what EventBridge Scheduler needs is set, and is of the right kind."""
    if not settings.TRIGGER_LAMBDA_ARN:
        return []
    kinds = {"TRIGGER_LAMBDA_ARN": "lambda", "SCHEDULER_ROLE_ARN": "iam"}
    if settings.SCHEDULE_DLQ_ARN:
        kinds["SCHEDULE_DLQ_ARN"] = "sqs"
    found: list[CheckMessage] = [
        Error(
            f"{name} is {getattr(settings, name)!r}, which is no ARN of {service}.",
            hint=f"Set {name}, or unset TRIGGER_LAMBDA_ARN to use the local scheduler.",
            id="moca.E008",
        )
        for name, service in kinds.items()
        if not re.fullmatch(ARN.replace("SERVICE", service), getattr(settings, name))
    ]
    group = settings.SCHEDULE_GROUP_NAME
    if not GROUP_NAME.fullmatch(group):
        found.append(
            Error(
                f"SCHEDULE_GROUP_NAME is {group!r}, which is no group's name.",
                hint="Set it to 1 to 64 letters, digits, dashes, dots and underscores.",
                id="moca.E025",
            )
        )
    return found
