"""infra/template.yaml lints, makes the table that migrate makes, and allows what is called."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.decode import decode
from django.conf import settings as django_settings
from django.db import connections
from moto import mock_aws

from agents.specification import SECRET_ARN
from tests.unit.project.test_docs import DOCUMENTED

ROOT = django_settings.BASE_DIR
TEMPLATE, _ = decode(str(ROOT / "infra" / "template.yaml"))
RESOURCES = TEMPLATE["Resources"]
# What IAM names otherwise than the API does.
IAM_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
# Transactions are allowed by the actions of their parts.
PARTS_OF_TRANSACTIONS = {
    "dynamodb:TransactGetItems": {"dynamodb:GetItem"},
    "dynamodb:TransactWriteItems": {
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
    },
}
# What operators call with credentials of their own, from management commands.
OPERATORS = {
    "executions/doctor.py",
    "moca/aws/stack.py",
    "moca/dynamodb/adoption.py",
    "moca/dynamodb/creation.py",
}
# Of `flush` and `migrate`, whose modules the functions use otherwise.
OPERATORS_ACTIONS = {"dynamodb:Scan"}
PLACES = {
    "moca/aws/identity_pool.py": "cognito-identity",
    "moca/aws/user_pool.py": "cognito-idp",
    "moca/aws/secrets_manager.py": "secretsmanager",
    "moca/dynamodb": "dynamodb",
    "events/buses/eventbridge.py": "events lambda",
    "triggers/schedulers/eventbridge.py": "scheduler",
    "executions/agent_client.py": "dynamodb ssm",
    "executions/dispatchers/aws_lambda.py": "lambda",
}


def statements(*roles: str) -> Iterator[dict[str, Any]]:
    """The statements that allow something to any of the roles."""
    for resource in RESOURCES.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents = [properties["PolicyDocument"]]
            owners = {role["Ref"] for role in properties["Roles"]}
        else:
            documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
            owners = {name for name, each in RESOURCES.items() if each is resource}
        if owners & set(roles or RESOURCES):
            for document in documents:
                for statement in document["Statement"]:
                    yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def actions(*roles: str) -> set[str]:
    found: set[str] = set()
    for statement in statements(*roles):
        listed = statement["Action"]
        found |= {listed} if isinstance(listed, str) else set(listed)
    return found


def operations_of(service: str) -> dict[str, str]:
    """The service's operations, by their names in Python."""
    names = boto3.client(service, region_name="eu-central-1").meta.method_to_api_mapping
    return dict(names)


def calls(path: Path, service: str) -> set[str]:
    """The service's operations that a module names, as a method or as a text."""
    known = operations_of(service)
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            named.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
    return {f"{service}:{known[name]}" for name in named & set(known)}


def called_by_functions() -> set[str]:
    found: set[str] = set()
    for place, services in PLACES.items():
        path = ROOT / place
        for module in path.rglob("*.py") if path.is_dir() else [path]:
            if module.relative_to(ROOT).as_posix() not in OPERATORS:
                found |= {call for service in services.split() for call in calls(module, service)}
    needed: set[str] = set()
    for action in found - OPERATORS_ACTIONS:
        needed |= PARTS_OF_TRANSACTIONS.get(action, {IAM_ACTIONS.get(action, action)})
    return needed


def test_it_lints() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(ROOT / "infra" / "template.yaml")],
        capture_output=True,
        text=True,
    )
    assert done.stdout + done.stderr == ""


def test_no_action_is_a_pattern() -> None:
    assert [action for action in actions() if "*" in action] == []


def test_only_lists_without_resources_are_about_everything() -> None:
    wide = [each["Action"] for each in statements() if each["Resource"] in ("*", ["*"])]
    assert wide == [
        ["events:ListEventBuses", "events:ListRuleNamesByTarget"],
        # Only with XRayTracing=Active.
        ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    ]


def test_every_call_is_allowed() -> None:
    assert called_by_functions() - actions("WebRole", "HandlerRole") == set()


def test_nothing_is_allowed_that_nobody_calls() -> None:
    # Lambda writes logs and dead letters, and Scheduler is passed its role.
    others = {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", "iam:PassRole"}
    # Lambda writes the traces of X-Ray with the functions' roles.
    others |= {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
    # Requests that are signed, and sent by no client of botocore.
    others |= {"bedrock-agentcore:InvokeAgentRuntime", "bedrock-agentcore:StopRuntimeSession"}
    assert actions("WebRole", "HandlerRole") - called_by_functions() - others == set()


def test_calls_are_found() -> None:
    found = called_by_functions()
    assert {"scheduler:CreateSchedule", "dynamodb:Query", "lambda:InvokeFunction"} <= found


def test_only_known_modules_call_aws() -> None:
    callers = {
        module.relative_to(ROOT).as_posix()
        for folder in ("moca", "agents", "events", "triggers", "executions")
        for module in (ROOT / folder).rglob("*.py")
        if re.search(r"\bclient\(\s*[\"']", module.read_text())
    }
    assert {name for name in callers if not name.startswith((*PLACES, *OPERATORS))} == set()


@pytest.mark.parametrize("role", ["WebRole", "HandlerRole"])
def test_secrets_of_agents_are_those_that_records_may_name(role: str) -> None:
    found = [each for each in statements(role) if each.get("Sid") == "AgentSecrets"]
    [resource] = [each["Resource"]["Fn::Sub"] for each in found]
    partition = resource.replace("${AWS::Partition}", "aws").replace(":*:", ":eu-central-1:")
    arn = partition.replace("${AWS::AccountId}", "123456789012").removesuffix("*")
    others = arn.removesuffix("agents/") + "moca-triggers/machine-client"
    names = [bool(SECRET_ARN.fullmatch(text)) for text in (f"{arn}reporter-AbCdEf", others)]
    assert names == [True, False]


def test_scheduler_role_can_be_used_by_its_group_alone() -> None:
    trust = RESOURCES["SchedulerRole"]["Properties"]["AssumeRolePolicyDocument"]
    conditions = trust["Statement"][0]["Condition"]["StringEquals"]
    assert set(conditions) == {"aws:SourceAccount", "aws:SourceArn"}


def test_settings_that_it_gives_are_documented() -> None:
    from moca.management.commands.deploy_env import environment_of

    given = environment_of(dict.fromkeys([*TEMPLATE["Parameters"], *TEMPLATE["Outputs"]], ""))
    assert set(given) - DOCUMENTED == set()


def test_alarms_lead_to_advice() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    links = re.findall(r"docs/deploy\.md#([a-z-]+)", json.dumps(RESOURCES))
    assert (len(links), set(links) - headings) == (7, set())


def test_reconciler_is_invoked_as_the_handler_knows_it() -> None:
    from executions.lambda_handler import ACTS

    event = json.loads(RESOURCES["Reconciler"]["Properties"]["Target"]["Input"])
    assert event["detail-type"] in ACTS


@pytest.mark.sqlite
def test_table_is_the_one_that_migrate_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    connections.databases["made"] = {
        **connections.databases["default"],
        "ENGINE": "moca.dynamodb",
        "NAME": "moca-made",
        "OPTIONS": {"region_name": "eu-central-1"},
    }
    try:
        with mock_aws():
            connections["made"].creation.ensure_table()
            client = boto3.client("dynamodb", region_name="eu-central-1")
            made = client.describe_table(TableName="moca-made")["Table"]
            ttl = client.describe_time_to_live(TableName="moca-made")["TimeToLiveDescription"]
    finally:
        del connections.databases["made"]
        if hasattr(connections._connections, "made"):  # type: ignore[attr-defined]
            delattr(connections._connections, "made")  # type: ignore[attr-defined]
    table = RESOURCES["Table"]["Properties"]
    assert _comparable(table, table["TimeToLiveSpecification"]) == _comparable(made, ttl)


def _comparable(table: dict[str, Any], ttl: dict[str, Any]) -> dict[str, Any]:
    return {
        "attributes": sorted(each["AttributeName"] for each in table["AttributeDefinitions"]),
        "keys": table["KeySchema"],
        "indexes": sorted(
            (each["IndexName"], json.dumps(each["KeySchema"]), each["Projection"]["ProjectionType"])
            for each in table["GlobalSecondaryIndexes"]
        ),
        "ttl": ttl["AttributeName"],
    }


def test_each_parameter_is_held_by_a_resource() -> None:
    # A change of parameters that change no resource is refused as no change.
    used = set(re.findall(r"[A-Z]\w+", json.dumps(RESOURCES, default=str)))
    assert set(TEMPLATE["Parameters"]) - used == set()


def test_rules_and_events_are_of_the_buses_that_the_settings_name() -> None:
    found = [each for each in statements() if "events:PutRule" in each["Action"]]
    found += [each for each in statements() if each["Action"] == "events:PutEvents"]
    written = [json.dumps(each["Resource"]) for each in found]
    names = [sorted(set(re.findall("EventBus(?:es|Name)", text))) for text in written]
    assert names == [["EventBusName"], ["EventBuses"], ["EventBusName"], ["EventBuses"]]
    assert [text for text in written if re.search(r"rule/\*|event-bus/\*", text)] == []


def test_tokens_of_owners_are_of_one_identity_pool() -> None:
    action = "cognito-identity:GetOpenIdTokenForDeveloperIdentity"
    allowed = [each["Resource"] for each in statements("HandlerRole") if each["Action"] == action]
    assert [json.dumps(each).count("identitypool/${IdentityPoolId}") for each in allowed] == [1]


def test_parameters_are_read_below_their_paths_alone() -> None:
    read = [each["Resource"] for each in statements() if each["Action"] == "ssm:GetParameters"]
    assert [each["Fn::Sub"].partition(":parameter")[2] for each in read] == [
        "${McpSecretsPath}/*",
        "${SsmParameterPrefix}/agents/*",
    ]


@pytest.mark.parametrize("policy", ["DeadLettersOfRules", "DeploymentBucketPolicy"])
def test_queue_and_bucket_refuse_what_comes_without_tls(policy: str) -> None:
    statements = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
    refused = [each for each in statements if each["Effect"] == "Deny"]
    assert [each["Condition"] for each in refused] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_ecs_tasks_have_the_handlers_role_only_if_the_stack_is_told_so() -> None:
    [statement] = RESOURCES["HandlerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    services = statement["Principal"]["Service"]["Fn::Split"][1]["Ref"]
    assert TEMPLATE["Parameters"][services]["Default"] == "lambda.amazonaws.com"


def test_the_handler_may_publish_ends_of_runs() -> None:
    allowed = [each for each in statements("HandlerRole") if each["Action"] == "events:PutEvents"]
    resources = [json.dumps(each["Resource"]) for each in allowed]
    assert "event-bus/${EventBusName}" in resources[0]
