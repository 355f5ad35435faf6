"""Random changes while the scheduler fails, answers get lost and processes die."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from tests.examples import examples
from tests.integration.api.conftest import API, VALID
from triggers.models import SyncState, Trigger
from triggers.reconcile import reconcile
from triggers.schedulers import get_scheduler

OPERATIONS = 500
STEPS = examples(60)
CALLS = ("CreateSchedule", "UpdateSchedule", "DeleteSchedule")


Answer = tuple[AWSResponse, dict[str, Any]]


class Killed(BaseException):
    """The process was killed. It derives from BaseException, so that no code handles it."""


class Weather:
    """Decides at random the outcome of each call to the scheduler."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kills = True
        self.storm = False
        self.dead = False
        self.clear = False

    def before(self, **_: Any) -> Answer | None:
        if self.dead:
            raise Killed
        fate = 1.0 if self.clear else self.random.random()
        if fate < 0.05:
            self.die()
        if self.storm:
            raise ConnectTimeoutError(endpoint_url="https://scheduler")
        if fate < 0.15:
            return self.refusal("ValidationException", 400)
        if fate < 0.2:
            return self.refusal("ServiceQuotaExceededException", 402)
        return None

    def after(self, **_: Any) -> None:
        fate = 1.0 if self.clear else self.random.random()
        if fate < 0.05:
            self.die()
        if fate < 0.15:
            # A lost answer is often the first of many.
            self.storm = not self.kills and self.random.random() < 0.5
            raise ReadTimeoutError(endpoint_url="https://scheduler")

    def die(self) -> None:
        if not self.kills:
            return
        self.dead = True
        raise Killed

    def refusal(self, code: str, status: int) -> Answer:
        """The answer of a service that refuses; the call does not reach moto."""
        error = {"Code": code, "Message": "no"}
        metadata = {"HTTPStatusCode": status, "RetryAttempts": 0}
        return AWSResponse("", status, {}, None), {"Error": error, "ResponseMetadata": metadata}


@pytest.fixture(params=range(2))
def weather(request: pytest.FixtureRequest, eventbridge: Any) -> Iterator[Weather]:
    weather = Weather(request.param)
    events = eventbridge.meta.events
    for name in CALLS:
        events.register_first(f"before-call.scheduler.{name}", weather.before)
        events.register(f"after-call.scheduler.{name}", weather.after)
    yield weather
    for name in CALLS:
        events.unregister(f"before-call.scheduler.{name}", weather.before)
        events.unregister(f"after-call.scheduler.{name}", weather.after)


def stored() -> dict[str, tuple[Any, ...]]:
    rows = Trigger.objects.filter(user_id="alice")
    return {row.pk: (row.version, row.prompt, row.enabled, row.type) for row in rows}


class Caller:
    """Makes random requests, and checks that each status is true."""

    def __init__(self, weather: Weather) -> None:
        self.weather, self.random = weather, weather.random
        self.api = API("alice")
        self.lies: list[str] = []

    def request(self) -> None:
        before = stored()
        method, path, body = self.random.choice(list(self.choices(sorted(before))))
        try:
            status = self.api(method, path, body).status_code
        except Killed:
            # There is no status to check.
            self.weather.dead = False
            return
        changed = stored() != before
        if status >= 400 and changed:
            self.lies.append(f"{method} {path}: {status}, and it was done")
        if status < 300 and not changed:
            self.lies.append(f"{method} {path}: {status}, and nothing was done")

    def choices(self, ids: list[str]) -> Iterator[tuple[str, str, Any]]:
        number = self.random.randrange(10**9)
        yield "POST", "/triggers", {**VALID, "prompt": f"Prompt {number}."}
        if ids:
            path = f"/triggers/{self.random.choice(ids)}"
            yield "PATCH", path, {"prompt": f"Prompt {number}."}
            hours = number % 99 + 2
            config = {"expression": f"rate({hours} hours)", "timezone": "Asia/Tokyo"}
            yield "PATCH", path, {"scheduleConfig": config, "prompt": f"Prompt {number}."}
            enabled = Trigger.objects.get(user_id="alice", pk=path.rpartition("/")[2]).enabled
            yield "POST", f"{path}/{'disable' if enabled else 'enable'}", None
            yield "DELETE", path, None


def test_one_pass_makes_all_equal_and_each_status_is_true(
    weather: Weather,
    transactional_db: None,
    eventbridge: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("triggers.reconcile.ORPHAN_AGE", timedelta(seconds=-1))
    caller = Caller(weather)
    for _ in range(OPERATIONS):
        caller.request()
    weather.clear = True
    repaired = reconcile()
    scheduler = get_scheduler()
    triggers = Trigger.objects.filter(user_id="alice")
    differing = [trigger.pk for trigger in triggers if scheduler.differences(trigger) != []]
    kept = {entry.trigger_id for entry in scheduler.list()}
    assert repaired
    assert (caller.lies, differing, kept) == ([], [], {trigger.pk for trigger in triggers})


def test_no_trigger_is_marked_as_synced_while_its_schedule_differs(
    weather: Weather, transactional_db: None, eventbridge: Any
) -> None:
    weather.kills = False
    caller, scheduler = Caller(weather), get_scheduler()
    lies, states = [], set()
    for number in range(STEPS):
        caller.request()
        weather.storm = False
        for trigger in Trigger.objects.filter(user_id="alice"):
            states.add(trigger.sync_state)
            if trigger.sync_state == SyncState.SYNCED and scheduler.differences(trigger) != []:
                lies.append(f"{number}: {trigger.pk}")
    assert (lies, states) == ([], {SyncState.SYNCED, SyncState.PENDING})
