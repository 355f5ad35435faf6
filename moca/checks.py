"""System checks: name settings that are missing, invalid or contradictory, with the remedy."""

import os
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004

from moca.local_keys import is_private
from moca.request_headers import is_taken

AGENT_AUTHS = ("cognito", "cognito-user", "static", "api-key", "sigv4", "none")
AGENT_PROTOCOLS = ("invocations", "agentcore", "ag-ui", "a2a", "openai")
RUNTIME_ARN = re.compile(r"arn:aws[\w-]*:bedrock-agentcore:[\w-]+:\d{12}:runtime/[\w-]+(\?.*)?")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RATE_LIMIT = re.compile(r"[1-9][0-9]*/(s|sec|second|min|minute|h|hour|day)")
GROUP_NAME = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
POOL_ID = re.compile(r"[\w-]+_[0-9a-zA-Z]+")
IDENTITY_POOL = re.compile(r"[a-z0-9-]+:[0-9a-f-]{36}")
NEEDED_FOR = {
    "cognito": ["COGNITO_DOMAIN", "COGNITO_CLIENT_ID", "COGNITO_CLIENT_SECRET"],
    "cognito-user": [
        "COGNITO_USER_POOL_ID",
        "COGNITO_CLIENT_ID",
        "COGNITO_USERNAME",
        "COGNITO_PASSWORD",
    ],
    "static": ["AGENT_TOKEN"],
    "api-key": ["AGENT_TOKEN"],
}
SECRETS = (
    "SECRET_KEY",
    "COGNITO_CLIENT_SECRET",
    "COGNITO_SIGN_IN_CLIENT_SECRET",
    "COGNITO_PASSWORD",
    "AGENT_TOKEN",
)


# Whether the rule is broken, the message, the hint, and the id without `moca.`.
Rule = tuple[bool, str, str, str]


def errors(*rules: Rule) -> list[CheckMessage]:
    """The errors of the broken rules."""
    return [Error(text, hint, id=f"moca.{name}") for broken, text, hint, name in rules if broken]


def _warnings(*rules: Rule) -> list[CheckMessage]:
    return [Warning(text, hint, id=f"moca.{name}") for broken, text, hint, name in rules if broken]


@register()
def check_agent(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check how the agent is called."""
    auth, protocol = settings.AGENT_AUTH, settings.AGENT_PROTOCOL
    header = settings.AGENT_KEY_HEADER
    url = urlsplit(settings.AGENT_API_URL)
    is_url = url.scheme in ("http", "https") and bool(url.netloc)
    missing = [name for name in NEEDED_FOR.get(auth, ()) if not _is_set(name)]
    return errors(
        (
            not (is_url or RUNTIME_ARN.fullmatch(settings.AGENT_API_URL)),
            "AGENT_API_URL is neither an http(s) URL nor the ARN of an AgentCore runtime.",
            "Set it to the agent's address, such as https://agent.example.com.",
            "E001",
        ),
        (
            auth not in AGENT_AUTHS,
            f"AGENT_AUTH is {auth!r}.",
            f"Set it to one of {', '.join(AGENT_AUTHS)}.",
            "E002",
        ),
        (
            protocol not in AGENT_PROTOCOLS,
            f"AGENT_PROTOCOL is {protocol!r}.",
            f"Set it to one of {', '.join(AGENT_PROTOCOLS)}.",
            "E013",
        ),
        (
            not HEADER_NAME.fullmatch(header),
            f"AGENT_KEY_HEADER is {header!r}, which is no header's name.",
            "Set it to a name such as X-Api-Key.",
            "E014",
        ),
        (
            is_taken(header),
            f"AGENT_KEY_HEADER is {header!r}, which requests have for something else.",
            "Set it to another name, such as X-Api-Key.",
            "E018",
        ),
        (
            settings.USES_DEMO_AGENT and bool(os.environ.get("AGENT_AUTH")),
            "AGENT_AUTH is set, but AGENT_API_URL is not: triggers would call the demo agent.",
            "Set AGENT_API_URL to the agent's address, or unset AGENT_AUTH.",
            "E004",
        ),
        (
            not os.access(settings.AGENT_PROMPT_TEMPLATE, os.R_OK),
            f"AGENT_PROMPT_TEMPLATE, {settings.AGENT_PROMPT_TEMPLATE}, cannot be read.",
            "Name a Markdown file, or unset it to use the one that is shipped.",
            "E005",
        ),
        *_owner_token_rules(),
        (
            bool(missing),
            f"AGENT_AUTH={auth} needs {', '.join(missing)}.",
            f"Set what is missing, or another AGENT_AUTH: {', '.join(AGENT_AUTHS)}.",
            "E003",
        ),
    )


def _owner_token_rules() -> list[Rule]:
    pool, provider = settings.IDENTITY_POOL_ID, settings.DEVELOPER_PROVIDER_NAME
    return [
        (
            bool(pool) != bool(provider),
            f"{'IDENTITY_POOL_ID' if pool else 'DEVELOPER_PROVIDER_NAME'} is set alone.",
            "Set both IDENTITY_POOL_ID and DEVELOPER_PROVIDER_NAME, or none of them.",
            "E015",
        ),
        (
            bool(pool) and not IDENTITY_POOL.fullmatch(pool),
            f"IDENTITY_POOL_ID is {pool!r}, which is no identity pool's id.",
            "Copy the id from the Cognito console: the region, a colon and a UUID.",
            "E016",
        ),
    ]


def _is_set(name: str) -> bool:
    """Whether a setting has a value, or a source from which it is read at run time."""
    if name == "COGNITO_DOMAIN" and settings.COGNITO_USER_POOL_ID:
        return True
    return bool(getattr(settings, name) or getattr(settings, f"{name}_ARN", ""))


@register()
def check_data_directory(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that no other account can read the database and the keys."""
    return _warnings(
        (
            not is_private(settings.DATA_DIR),
            f"Other accounts of this machine can enter {settings.DATA_DIR}, where the database and "
            "keys are.",
            "Set MOCA_DATA_DIR to a directory of its own that this account owns, or run "
            f"chmod 700 {settings.DATA_DIR}.",
            "W011",
        )
    )


@register()
def check_sign_in(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the settings of Cognito; the first fault is reported alone."""
    pool = settings.COGNITO_USER_POOL_ID
    wrong = sorted(set(settings.COGNITO_ROLES.values()) - {"admin", "editor", "viewer"})
    return errors(
        (
            bool(pool) and not POOL_ID.fullmatch(pool),
            f"COGNITO_USER_POOL_ID is {pool!r}, which is no pool's id.",
            "Copy the id from the Cognito console; it looks like eu-west-1_AbC123xyz.",
            "E010",
        ),
        (
            bool(settings.COGNITO_SIGN_IN_CLIENT_ID) and not pool,
            "COGNITO_SIGN_IN_CLIENT_ID is set, and COGNITO_USER_POOL_ID is not.",
            "Set the pool whose app client it is.",
            "E023",
        ),
        (
            bool(wrong),
            f"COGNITO_ROLES names {', '.join(wrong)}, which is no role.",
            "Set it to pairs such as operators=editor,managers=admin.",
            "E024",
        ),
    )[:1]


@register()
def check_rate_limit(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the form of API_RATE_LIMIT."""
    limit = settings.API_RATE_LIMIT
    return errors(
        (
            bool(limit) and not RATE_LIMIT.fullmatch(limit),
            f"API_RATE_LIMIT is {limit!r}.",
            "Write it as 600/min; the unit is s, min, hour or day. Unset: no limit.",
            "E020",
        )
    )


@register()
def check_heartbeat_url(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that HEARTBEAT_URL can be called. Its value stays out of the message: it is secret."""
    text = settings.HEARTBEAT_URL
    try:
        url = urlsplit(text)
        is_url = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        is_url = False
    return errors(
        (
            bool(text) and not is_url,
            "HEARTBEAT_URL is no http(s) URL.",
            "Set it to the address that the monitoring service gives, such as "
            "https://hc-ping.com/UUID.",
            "E061",
        ),
    )


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Warn, for `check --deploy`, about what suits one machine only."""
    is_dynamodb = settings.DATABASES["default"]["ENGINE"] == "moca.dynamodb"
    formatter = settings.LOGGING["handlers"]["stderr"]["formatter"]  # type: ignore[index]
    is_on_lambda = bool(settings.TRIGGER_LAMBDA_ARN)
    own = " and ".join(
        name
        for name in ("SECRET_KEY", "COGNITO_USER_POOL_ID")
        if not os.environ.get(name) and not os.environ.get(f"{name}_ARN")
    )
    return _warnings(
        (
            settings.USES_DEMO_AGENT,
            "Triggers call the demo agent of this machine.",
            "Set AGENT_API_URL to the agent's address.",
            "W001",
        ),
        (
            bool(own) and is_dynamodb,
            f"Without {own}, sessions or tokens are signed by keys of this machine, and no other "
            "machine that serves this table takes them.",
            f"Set {own}.",
            "W002",
        ),
        (
            bool(settings.COGNITO_USER_POOL_ID) and not settings.COGNITO_APP_CLIENT_IDS,
            "The API takes tokens of every app client of the user pool.",
            "Set COGNITO_APP_CLIENT_IDS to the app clients of your frontends.",
            "W010",
        ),
        (
            is_on_lambda and not is_dynamodb,
            "TRIGGER_LAMBDA_ARN is set, and that function does not see the database here.",
            "Set TRIGGERS_TABLE_NAME, or unset TRIGGER_LAMBDA_ARN.",
            "W003",
        ),
        (
            is_on_lambda and not settings.SCHEDULE_DLQ_ARN,
            "What EventBridge Scheduler cannot deliver is lost without a trace.",
            "Set SCHEDULE_DLQ_ARN to the ARN of a standard SQS queue.",
            "W004",
        ),
        (
            is_on_lambda and formatter != "json",
            "Logs are lines of text, in which CloudWatch cannot search by field.",
            "Set LOG_FORMAT=json.",
            "W005",
        ),
    )


@register()
def check_secrets(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that each secret has one source, and that ARNs are those of secrets."""
    rules: list[Rule] = []
    for name in SECRETS:
        arn = os.environ.get(f"{name}_ARN", "")
        rules += [
            (
                bool(arn) and not _is_arn(arn, "secretsmanager"),
                f"{name}_ARN is {arn!r}, which is no ARN of a secret.",
                "Set it to arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.",
                "E021",
            ),
            (
                bool(arn and os.environ.get(name)),
                f"{name} and {name}_ARN are both set.",
                f"Unset {name} to read the secret from Secrets Manager.",
                "E022",
            ),
        ]
    return errors(*rules)


@register()
def check_scheduler(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that the settings of EventBridge Scheduler are complete and name the right services."""
    if not settings.TRIGGER_LAMBDA_ARN:
        return []
    services = {"TRIGGER_LAMBDA_ARN": "lambda", "SCHEDULER_ROLE_ARN": "iam"}
    if settings.SCHEDULE_DLQ_ARN:
        services["SCHEDULE_DLQ_ARN"] = "sqs"
    rules: list[Rule] = [
        (
            not _is_arn(getattr(settings, name), service),
            f"{name} is {getattr(settings, name)!r}, which is no ARN of {service}.",
            f"Set {name}, or unset TRIGGER_LAMBDA_ARN to use the local scheduler.",
            "E008",
        )
        for name, service in services.items()
    ]
    group = settings.SCHEDULE_GROUP_NAME
    return errors(
        *rules,
        (
            not GROUP_NAME.fullmatch(group),
            f"SCHEDULE_GROUP_NAME is {group!r}, which is no group's name.",
            "Set it to 1 to 64 letters, digits, dashes, dots and underscores.",
            "E025",
        ),
    )


def _is_arn(text: str, service: str) -> bool:
    return bool(re.fullmatch(rf"arn:aws[\w-]*:{service}:[\w-]*:\d{{12}}:.+", text))
