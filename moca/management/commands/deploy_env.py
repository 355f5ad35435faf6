"""The command `deploy_env`: brings the CloudFormation stack's values into zappa_settings.json."""

import argparse
import json
import platform
import re
import shlex
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from moca.aws.stack import StackError, values_of

STACK_NAME = "moca-triggers"
# The stack's values that are no settings of the application.
OF_ZAPPA = {"WebRoleArn", "HandlerRoleArn", "DeploymentBucketName"}
NEEDED = OF_ZAPPA | {"ProjectName", "ScheduleDlqArn", "SecretKeyArn"}
OF_THE_STACK_ALONE = {
    "AgentRuntimeArn",
    "AgentRuntimeArns",
    "AlarmEmail",
    "AlarmTopicArn",
    "EventSecretArns",
    "ExistingScheduleGroupName",
    "ExistingTableName",
    "FailedExecutions",
    "HandlerServices",
    "LogRetentionDays",
    "ProjectName",
    "ReconcilerState",
    "SlowExecutionMilliseconds",
    "XRayTracing",
}


class Command(BaseCommand):
    help = "Write what the CloudFormation stack made into a stage of zappa_settings.json."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "stage", choices=["web", "handler"], help="the function whose stage it is"
        )
        parser.add_argument(
            "--stack-name", default=STACK_NAME, help=f"the stack's name; {STACK_NAME} by default"
        )
        parser.add_argument(
            "--settings-file",
            type=Path,
            default=Path("zappa_settings.json"),
            help="Zappa's settings; zappa_settings.json in this folder by default",
        )
        parser.add_argument(
            "--shell",
            action="store_true",
            help="Write nothing, but print the environment for a shell, by which management "
            'commands work on the stack: eval "$(manage.py deploy_env web --shell)"',
        )

    def handle(
        self,
        *args: Any,
        stage: str,
        stack_name: str,
        settings_file: Path,
        shell: bool,
        **options: Any,
    ) -> None:
        try:
            self._hand_over(stage, stack_name, settings_file, shell=shell)
        except CommandError:
            if shell:
                # Make the shell's eval fail too, so that no command runs on another database.
                self.stdout.write("false")
            raise

    def _hand_over(self, stage: str, stack_name: str, settings_file: Path, *, shell: bool) -> None:
        try:
            stack = values_of(stack_name)
        except StackError as error:
            raise CommandError(str(error)) from error
        whole = _read(settings_file)
        _check(stack, stack_name, whole, settings_file)
        given = environment_of(stack)
        if stage == "handler":
            # The handler's role may not read this secret.
            del given["SECRET_KEY_ARN"]
        own = whole.setdefault(stage, {})
        own.update(_zappa_settings(stage, stack))
        present = own.get("aws_environment_variables", {})
        environment = _merged(present, given, _defaults(stage))
        own["aws_environment_variables"] = environment
        if shell:
            self._print(environment, given)
            return
        settings_file.write_text(json.dumps(whole, indent=4) + "\n")
        for name in sorted(name for name in given if present.get(name, given[name]) != given[name]):
            parameter = name.title().replace("_", "")
            self.stdout.write(
                f"{name} is {given[name]!r} now, as the stack has it: set the stack's "
                f"parameter {parameter} to what is to stay."
            )
        self.stdout.write(
            f"{settings_file}: the stage {stage} is that of the stack {stack_name}. "
            f"`zappa deploy {stage}`, or `zappa update {stage}`, takes it to Lambda."
        )

    def _print(self, environment: dict[str, str], given: dict[str, str]) -> None:
        """Print the environment for a shell; unset what another stack may have left."""
        for name in sorted(given.keys() - environment):
            self.stdout.write(f"unset {name}")
        for name, value in {**environment, "AWS_REGION": settings.AWS_REGION}.items():
            self.stdout.write(f"export {name}={shlex.quote(value)}")


def environment_of(stack: dict[str, str]) -> dict[str, str]:
    """The application's settings by environment variable; AgentApiUrl becomes AGENT_API_URL.

    Args:
        stack: the stack's parameters and outputs; their values may be empty.
    """
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): value
        for name, value in stack.items()
        if name not in OF_ZAPPA | OF_THE_STACK_ALONE
    }


def _check(stack: dict[str, str], name: str, whole: dict[str, Any], path: Path) -> None:
    """Raise CommandError if the stack is not from our template, or is another installation's."""
    missing = sorted(NEEDED - stack.keys())
    if missing:
        raise CommandError(
            f"The stack {name} was not made from infra/template.yaml: it lacks {missing[0]}."
        )
    ours = whole.get("base", {}).get("project_name", stack["ProjectName"])
    if stack["ProjectName"] != ours:
        raise CommandError(
            f"The ProjectName of the stack {name} is {stack['ProjectName']}, and project_name in "
            f"{path} is {ours}: make them equal, or name the stack of this project by --stack-name."
        )


def _zappa_settings(stage: str, stack: dict[str, str]) -> dict[str, Any]:
    machine = platform.machine()
    found: dict[str, Any] = {
        "aws_region": settings.AWS_REGION,
        "s3_bucket": stack["DeploymentBucketName"],
        "role_arn": stack[f"{stage.title()}RoleArn"],
        # The package contains compiled modules for this machine's architecture.
        "architecture": "arm64" if machine in ("arm64", "aarch64") else "x86_64",
    }
    if tracing := stack.get("XRayTracing"):
        found["xray_tracing"] = tracing == "Active"
    if stage == "handler":
        found["dead_letter_arn"] = stack["ScheduleDlqArn"]
    return found


def _defaults(stage: str) -> dict[str, str]:
    """A stage's variables, unless set otherwise."""
    if stage == "handler":
        return {"DJANGO_SETTINGS_MODULE": "moca.handler_settings", "LOG_FORMAT": "json"}
    return {
        "DJANGO_SETTINGS_MODULE": "moca.settings",
        "LOG_FORMAT": "json",
        # API Gateway passes on only requests to its own host.
        "ALLOWED_HOSTS": f".execute-api.{settings.AWS_REGION}.amazonaws.com",
        "FORCE_SCRIPT_NAME": f"/{stage}",
        "COOKIES_SECURE": "true",
        "SECURE_SSL_REDIRECT": "true",
        "SECURE_HSTS_SECONDS": "31536000",
    }


def _merged(
    present: dict[str, str], stack: dict[str, str], defaults: dict[str, str]
) -> dict[str, str]:
    """Merge: the stack's values win over those set by hand, which win over the defaults.

    Variables that are empty in the stack are left out.
    """
    merged = {**defaults, **present, **stack}
    return {name: merged[name] for name in sorted(merged) if merged[name] or name not in stack}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read ({error.strerror}): run this in the checkout, or give its "
            "place by --settings-file."
        ) from error
    except ValueError as error:
        raise CommandError(f"{path} is no JSON: {error}.") from error
    if not isinstance(content, dict) or not all(
        isinstance(each, dict) for each in content.values()
    ):
        raise CommandError(f"{path} has no stages: take the one of the checkout.")
    return content
