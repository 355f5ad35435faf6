"""`manage.py deploy_env`, on a stack with the template's parameters and outputs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from moca.aws import clients as aws

TEMPLATE = django_settings.BASE_DIR / "infra" / "template.yaml"
AGENT = "https://agent.example.com"


@pytest.fixture
def stack(moto: None) -> None:
    """moto makes few of our resources, so the outputs have fixed values here."""
    template, _ = decode(str(TEMPLATE))
    reduced = {
        "Parameters": template["Parameters"],
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": f"the-{name}"} for name in template["Outputs"]},
    }
    aws.client("cloudformation").create_stack(
        StackName="moca-triggers",
        TemplateBody=json.dumps(reduced),
        Parameters=[{"ParameterKey": "AgentApiUrl", "ParameterValue": AGENT}],
    )


@pytest.fixture
def zappa_settings(tmp_path: Path) -> Path:
    return Path(shutil.copy(django_settings.BASE_DIR / "zappa_settings.json", tmp_path))


def stage_of(path: Path, stage: str) -> dict[str, Any]:
    call_command("deploy_env", stage, settings_file=path)
    found: dict[str, Any] = json.loads(path.read_text())[stage]
    return found


def add(path: Path, stage: str, **environment: str) -> None:
    stages = json.loads(path.read_text())
    stages[stage]["aws_environment_variables"] |= environment
    path.write_text(json.dumps(stages))


def test_outputs_become_settings(stack: None, zappa_settings: Path) -> None:
    environment = stage_of(zappa_settings, "web")["aws_environment_variables"]
    assert environment["TRIGGERS_TABLE_NAME"] == "the-TriggersTableName"


def test_parameters_become_settings(stack: None, zappa_settings: Path) -> None:
    environment = stage_of(zappa_settings, "handler")["aws_environment_variables"]
    assert environment["AGENT_API_URL"] == AGENT


@pytest.mark.parametrize("stage", ["web", "handler"])
def test_stage_has_its_own_role(stack: None, zappa_settings: Path, stage: str) -> None:
    assert stage_of(zappa_settings, stage)["role_arn"] == f"the-{stage.title()}RoleArn"


def test_handler_keeps_dead_letters(stack: None, zappa_settings: Path) -> None:
    assert stage_of(zappa_settings, "handler")["dead_letter_arn"] == "the-ScheduleDlqArn"


def test_handler_cannot_sign_sessions(stack: None, zappa_settings: Path) -> None:
    environment = stage_of(zappa_settings, "handler")["aws_environment_variables"]
    assert "SECRET_KEY_ARN" not in environment


def test_what_was_set_by_hand_stays(stack: None, zappa_settings: Path) -> None:
    add(zappa_settings, "web", ALLOWED_HOSTS="triggers.example.com", API_RATE_LIMIT="600/min")
    environment = stage_of(zappa_settings, "web")["aws_environment_variables"]
    assert (environment["ALLOWED_HOSTS"], environment["API_RATE_LIMIT"]) == (
        "triggers.example.com",
        "600/min",
    )


def test_what_the_stack_no_longer_has_goes(stack: None, zappa_settings: Path) -> None:
    add(zappa_settings, "web", AGENTS_TABLE_NAME="old-agents")
    assert "AGENTS_TABLE_NAME" not in stage_of(zappa_settings, "web")["aws_environment_variables"]


def test_what_the_stack_sets_otherwise_is_told(
    stack: None, zappa_settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(zappa_settings, "web", AGENTS_TABLE_NAME="by-hand")
    stage_of(zappa_settings, "web")
    assert "set the stack's parameter AgentsTableName" in capsys.readouterr().out


def test_stack_of_another_project_is_refused(stack: None, zappa_settings: Path) -> None:
    stages = json.loads(zappa_settings.read_text())
    stages["base"]["project_name"] = "another"
    zappa_settings.write_text(json.dumps(stages))
    with pytest.raises(CommandError, match=r"is moca-triggers, and project_name in .* is another"):
        stage_of(zappa_settings, "web")


def test_stack_of_another_template_is_refused(moto: None, zappa_settings: Path) -> None:
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    aws.client("cloudformation").create_stack(StackName="other", TemplateBody=json.dumps(template))
    with pytest.raises(CommandError, match=r"other was not made from infra/template\.yaml"):
        call_command("deploy_env", "web", stack_name="other", settings_file=zappa_settings)


def test_shell_stops_where_there_is_no_environment(
    moto: None, zappa_settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError):
        call_command("deploy_env", "web", "--shell", settings_file=zappa_settings)
    assert capsys.readouterr().out == "false\n"


def test_second_time_changes_nothing(stack: None, zappa_settings: Path) -> None:
    first = stage_of(zappa_settings, "web")
    assert stage_of(zappa_settings, "web") == first


def test_shell_is_given_the_environment(
    stack: None, zappa_settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("deploy_env", "web", "--shell", settings_file=zappa_settings)
    assert "export TRIGGERS_TABLE_NAME=the-TriggersTableName\n" in capsys.readouterr().out


def test_missing_stack_is_told(moto: None, zappa_settings: Path) -> None:
    with pytest.raises(CommandError, match=r"no stack moca-triggers .* infra/template\.yaml"):
        call_command("deploy_env", "web", settings_file=zappa_settings)


@pytest.mark.parametrize("content", ["[]", '{"base": {}, "web": []}', "7"])
def test_file_without_stages_is_told(stack: None, tmp_path: Path, content: str) -> None:
    path = tmp_path / "zappa_settings.json"
    path.write_text(content)
    with pytest.raises(CommandError, match="has no stages"):
        call_command("deploy_env", "web", settings_file=path)


def test_missing_file_is_told(stack: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--settings-file"):
        call_command("deploy_env", "web", settings_file=tmp_path / "none.json")


def test_file_that_is_no_json_stays_as_it_is(stack: None, zappa_settings: Path) -> None:
    zappa_settings.write_text("{'web'}")
    with pytest.raises(CommandError, match="no JSON"):
        call_command("deploy_env", "web", settings_file=zappa_settings)


@pytest.mark.parametrize(("given", "traces"), [("PassThrough", False), ("Active", True)])
def test_tracing_of_the_stack_is_that_of_the_functions(
    stack: None, zappa_settings: Path, given: str, traces: bool
) -> None:
    aws.client("cloudformation").update_stack(
        StackName="moca-triggers",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "AgentApiUrl", "ParameterValue": AGENT},
            {"ParameterKey": "XRayTracing", "ParameterValue": given},
        ],
    )
    assert stage_of(zappa_settings, "web")["xray_tracing"] is traces
