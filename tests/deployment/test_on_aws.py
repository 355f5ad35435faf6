"""The whole product on AWS, as ministack has it, by the commands of docs/deploy.md."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from django.conf import settings

from agents.demo import DemoAgent
from tests.conftest import wait_for
from tests.deployment.emulators import REGION, Ministack
from tests.integration.alerts.receivers import MailServer
from tests.signing import SECRET, signed

PASSWORD = "Correct-horse-7"
SCOPE = "agent/invoke"


class Account:
    """An AWS account with a user pool and an agent, and nothing of ours yet."""

    def __init__(self, aws: Ministack, folder: Path) -> None:
        self.aws = aws
        self.checkout = folder / "checkout"
        self.environment = dict(aws.environment)
        self._make_pool()

    def _make_pool(self) -> None:
        cognito = self.aws.client("cognito-idp")
        self.pool = cognito.create_user_pool(PoolName="agents")["UserPool"]["Id"]
        cognito.create_user_pool_domain(UserPoolId=self.pool, Domain="agents")
        cognito.create_resource_server(
            UserPoolId=self.pool,
            Identifier="agent",
            Name="agent",
            Scopes=[{"ScopeName": "invoke", "ScopeDescription": "Invoke the agent"}],
        )
        machine = cognito.create_user_pool_client(
            UserPoolId=self.pool,
            ClientName="machine",
            GenerateSecret=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=[SCOPE],
            AllowedOAuthFlowsUserPoolClient=True,
        )["UserPoolClient"]
        self.machine_client = machine["ClientId"]
        self.machine_secret = self.aws.client("secretsmanager").create_secret(
            Name="machine", SecretString=machine["ClientSecret"]
        )["ARN"]
        self.app_client = cognito.create_user_pool_client(
            UserPoolId=self.pool,
            ClientName="app",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )["UserPoolClient"]["ClientId"]
        cognito.admin_create_user(UserPoolId=self.pool, Username="alice")
        cognito.admin_set_user_password(
            UserPoolId=self.pool, Username="alice", Password=PASSWORD, Permanent=True
        )

    def user_token(self) -> str:
        signed_in = self.aws.client("cognito-idp").initiate_auth(
            ClientId=self.app_client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "alice", "PASSWORD": PASSWORD},
        )
        return str(signed_in["AuthenticationResult"]["AccessToken"])

    @property
    def keys_url(self) -> str:
        return f"{self.aws.endpoint}/{self.pool}/.well-known/jwks.json"

    def run(self, command: str) -> str:
        """Run a command of docs/deploy.md in the checkout."""
        bin_folders = [settings.BASE_DIR / "build" / "venv" / "bin", Path(sys.executable).parent]
        done = subprocess.run(
            shlex.split(command),
            cwd=self.checkout,
            env={
                **self.environment,
                "VIRTUAL_ENV": str(bin_folders[0].parent),
                "PATH": os.pathsep.join([*map(str, bin_folders), self.environment["PATH"]]),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}\n{self.aws.log()}"
        return done.stdout


class CognitoAgent(DemoAgent):
    """An agent that takes the machine user's tokens of a pool, and no others."""

    def __init__(self, account: Account) -> None:
        super().__init__(pause=0)
        self._account = account
        self._keys = jwt.PyJWKClient(account.keys_url)

    def accepts(self, authorization: str) -> bool:
        token = authorization.removeprefix("Bearer ")
        claims = jwt.decode(
            token,
            self._keys.get_signing_key_from_jwt(token),
            algorithms=["RS256"],
            issuer=f"https://cognito-idp.{REGION}.amazonaws.com/{self._account.pool}",
        )
        return bool(claims["client_id"] == self._account.machine_client)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Ministack(tmp_path) as aws:
        yield Account(aws, tmp_path)


def check_out(account: Account, mail_url: str) -> None:
    """A checkout whose stages can be told apart from the developer's own."""
    ignored = shutil.ignore_patterns(".*", "build", "var", "tests", "__pycache__")
    shutil.copytree(settings.BASE_DIR, account.checkout, ignore=ignored)
    path = account.checkout / "zappa_settings.json"
    stages = json.loads(path.read_text())
    # The emulator serves no host names, and Cognito's keys at an address of its own.
    stages["web"] |= {"touch": False}
    stages["web"]["aws_environment_variables"] = {
        "ALLOWED_HOSTS": "127.0.0.1",
        "COGNITO_JWKS_URL": account.keys_url,
    }
    for stage in ("web", "handler"):
        variables = stages[stage].setdefault("aws_environment_variables", {})
        variables["EVENT_SOURCES_CONFIG"] = json.dumps(
            [{"id": "shop", "name": "Shop", "secrets": [SECRET]}]
        )
        variables["EMAIL_URL"] = mail_url
    path.write_text(json.dumps(stages))


def create_stack(account: Account, agent_url: str) -> None:
    parameters = {
        "AgentApiUrl": agent_url,
        "CognitoUserPoolId": account.pool,
        "CognitoDomain": account.aws.endpoint,
        "CognitoClientId": account.machine_client,
        "CognitoClientSecretArn": account.machine_secret,
        "CognitoScope": SCOPE,
        "CognitoAppClientIds": account.app_client,
    }
    cloudformation = account.aws.client("cloudformation")
    cloudformation.create_stack(
        StackName="moca-triggers",
        TemplateBody=(account.checkout / "infra" / "template.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="moca-triggers", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    outputs = cloudformation.describe_stacks(StackName="moca-triggers")["Stacks"][0]["Outputs"]
    for role in ("WebRoleArn", "HandlerRoleArn"):
        (arn,) = (each["OutputValue"] for each in outputs if each["OutputKey"] == role)
        allow_what_the_emulator_names_otherwise(account, arn.rpartition("/")[2])


OF_A_RULE = ("DeleteRule", "DescribeRule", "PutRule")


def allow_what_the_emulator_names_otherwise(account: Account, role: str) -> None:
    """ministack asks IAM for other resources than AWS does.

    For schedules in the group `default`; for rules of the default bus with the bus in their names,
    which the rules' own ARNs do not have there either; and for a bus in place of a rule. It does
    not say whom a permission of Lambda is for.
    """
    schedules = ("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule")
    rules = ("ListTargetsByRule", "PutTargets", "RemoveTargets")
    statement = [
        {
            "Effect": "Allow",
            "Action": [f"scheduler:{action}" for action in schedules],
            "Resource": f"arn:aws:scheduler:{REGION}:*:schedule/default/trigger-*",
        },
        {
            "Effect": "Allow",
            "Action": [f"events:{action}" for action in rules],
            "Resource": f"arn:aws:events:{REGION}:*:event-bus/default",
        },
        {
            "Effect": "Allow",
            "Action": [f"events:{action}" for action in (*rules, *OF_A_RULE)],
            "Resource": [
                f"arn:aws:events:{REGION}:*:rule/default/{kind}-*" for kind in ("source", "trigger")
            ],
        },
        {
            "Effect": "Allow",
            "Action": "lambda:AddPermission",
            "Resource": f"arn:aws:lambda:{REGION}:*:function:moca-triggers-handler",
        },
    ]
    account.aws.client("iam").put_role_policy(
        RoleName=role,
        PolicyName="emulator",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )


def test_trigger_fires_on_aws(account: Account) -> None:
    with CognitoAgent(account) as agent, MailServer() as mail:
        check_out(account, mail.url)
        create_stack(account, agent.url)
        for stage in ("web", "handler"):
            account.run(f"python manage.py deploy_env {stage}")
        for line in account.run("python manage.py deploy_env web --shell").splitlines():
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                account.environment[name] = shlex.split(value)[0]
        account.run("python manage.py migrate")
        account.run("python manage.py create_operator ann")
        account.run("zappa deploy handler")
        account.run("zappa deploy web")

        (api,) = account.aws.client("apigateway").get_rest_apis()["items"]
        base = f"{account.aws.endpoint}/restapis/{api['id']}/web/_user_request_/"
        headers = {"Authorization": f"Bearer {account.user_token()}"}
        with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
            follow_an_alert(account, mail, client)
            follow_a_trigger(account, agent, client)
            follow_events(account, agent, client)


# Only operators make channels, and here these sign in by Cognito's pages.
MAKE_RULE = """
from alerts.models import Channel, Rule
channel = Channel.objects.create(name="Team", kind="email", recipients="team@example.com")
Rule.objects.create(name="Failures", channel_id=channel.pk, kinds=["failed"])
"""


def follow_an_alert(account: Account, mail: MailServer, client: httpx.Client) -> None:
    """Have a failed run told by e-mail: by the handler, which its schedule calls each minute."""
    account.run(f"python manage.py shell --command '{MAKE_RULE}'")
    made = client.post(
        "triggers",
        json={
            "name": "Broken report",
            "type": "schedule",
            "agentId": "reporter",
            "prompt": "x\ndemo: fail No sheep",
            "scheduleConfig": {"expression": "cron(0 0 1 1 ? *)"},
        },
    )
    client.post(f"triggers/{made.json()['trigger']['id']}/run").raise_for_status()
    (message, *_) = wait_for(lambda: mail.taken, 150)
    assert message["Subject"] == "[Moca] Broken report failed"


def follow_a_trigger(account: Account, agent: DemoAgent, client: httpx.Client) -> None:
    """Make a trigger by the deployed API, see it fire, disable it, update, delete it."""
    made = client.post(
        "triggers",
        json={
            "name": "Each minute",
            "type": "schedule",
            "agentId": "reporter",
            "prompt": "Count the sheep.",
            "scheduleConfig": {"expression": "cron(* * * * ? *)", "timezone": "Europe/Berlin"},
        },
    )
    assert made.status_code == 201, made.text + account.aws.log()
    trigger = made.json()["trigger"]["id"]

    def executions() -> list[dict[str, Any]]:
        answer = client.get(f"triggers/{trigger}/executions").json()
        return [each for each in answer["executions"] if each["status"] != "running"]

    (fired, *_) = wait_for(executions, 150)
    assert (fired["status"], fired["source"]) == ("completed", "schedule"), fired
    assert any("Count the sheep." in request.body["prompt"] for request in agent.requests)

    def schedule() -> dict[str, Any]:
        found: dict[str, Any] = account.aws.client("scheduler").get_schedule(
            Name=f"trigger-{trigger}", GroupName="moca-triggers"
        )
        return found

    client.post(f"triggers/{trigger}/disable").raise_for_status()
    assert schedule()["State"] == "DISABLED"

    account.run("zappa update handler")
    account.run("zappa update web")
    assert client.get(f"triggers/{trigger}").json()["trigger"]["enabled"] is False

    client.delete(f"triggers/{trigger}").raise_for_status()
    assert client.get(f"triggers/{trigger}").status_code == 404
    with pytest.raises(account.aws.client("scheduler").exceptions.ResourceNotFoundException):
        schedule()


def follow_events(account: Account, agent: DemoAgent, client: httpx.Client) -> None:
    """Fire one trigger by a signed message, and one by its own rule on the bus."""

    def make(config: dict[str, Any]) -> str:
        body = {"name": "Orders", "type": "event", "agentId": "clerk", "eventConfig": config}
        made = client.post("triggers", json={**body, "prompt": "Order {{ event.detail.id }}."})
        assert made.status_code == 201, made.text + account.aws.log()
        return str(made.json()["trigger"]["id"])

    def ended(trigger: str) -> list[str]:
        answer = client.get(f"triggers/{trigger}/executions").json()
        return [each["status"] for each in answer["executions"] if each["status"] != "running"]

    assert "shop" in account.run("python manage.py sync_schedules")
    by_message, by_rule = (
        make({"eventSourceId": "shop"}),
        make({"eventPattern": {"source": ["my.app"], "detail": {"id": [{"numeric": [">", 1]}]}}}),
    )
    data = json.dumps({"type": "order.paid", "id": 4711}).encode()
    headers = signed("webhook", SECRET, data, "msg-1", int(time.time()))
    headers["Content-Type"] = "application/json"
    sent = client.post("events?source=shop", content=data, headers=headers)
    assert sent.status_code == 200, sent.text + account.aws.log()
    account.aws.client("events").put_events(
        Entries=[{"Source": "my.app", "DetailType": "order.paid", "Detail": '{"id": 4712}'}]
    )
    for trigger, order in ((by_message, 4711), (by_rule, 4712)):
        assert wait_for(lambda trigger=trigger: ended(trigger), 60) == ["completed"]
        assert any(f"Order {order}." in request.body["prompt"] for request in agent.requests)
