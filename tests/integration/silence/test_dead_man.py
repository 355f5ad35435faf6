"""The dead man's switch: HEARTBEAT_URL is called while schedules are fired."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from executions import dead_man, lambda_handler, process_lease, watch
from executions.process_lease import Load, ProcessLease
from tests.conftest import wait_for
from tests.integration.alerts.receivers import dripping
from tests.integration.eventbridge.conftest import eventbridge
from tests.integration.handler.test_handler import Context
from triggers.models import Process

__all__ = ["eventbridge"]


class Monitor:
    """A monitoring service on a free port, which gives these answers one after the other."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: list[int] = []
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.calls.append(self.path)
                self.send_response(monitor.answers.pop(0) if monitor.answers else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/secret-id"


@pytest.fixture
def monitor(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    monkeypatch.setattr(dead_man, "PAUSE_SECONDS", 0.01)
    found = Monitor()
    settings.HEARTBEAT_URL = found.url
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes whose watch has its turns, and calls the URL, without pauses."""
    monkeypatch.setattr(watch, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(dead_man, "EVERY_SECONDS", 0.0)


def test_answer_that_drips_does_not_hold_up_the_sign_of_life(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_man, "LIMIT_SECONDS", 0.3)
    monkeypatch.setattr(dead_man, "PAUSE_SECONDS", 0.01)
    with dripping() as host:
        settings.HEARTBEAT_URL = f"http://{host}/ping"
        assert dead_man.call() == "No answer within 10 s."
    wait_for(lambda: "dead-man" not in {thread.name for thread in threading.enumerate()})


def test_success(monitor: Monitor) -> None:
    assert (dead_man.call(), monitor.calls) == ("", ["/ping/secret-id"])


def test_is_called_once_more_if_it_fails(monitor: Monitor) -> None:
    monitor.answers = [500]
    assert (dead_man.call(), len(monitor.calls)) == ("", 2)


def test_failure_is_returned_after_the_second_try(monitor: Monitor) -> None:
    monitor.answers = [500, 404, 200]
    assert (dead_man.call(), len(monitor.calls)) == ("The answer was HTTP 404.", 2)


def test_nobody_answers(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_man, "PAUSE_SECONDS", 0.01)
    settings.HEARTBEAT_URL = "http://127.0.0.1:9/secret-id"
    assert dead_man.call() == "The connection failed (ConnectError)."


def test_url_is_not_logged(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    monitor.answers = [500, 500]
    dead_man.call()
    assert "secret-id" not in caplog.text


@pytest.mark.usefixtures("quick")
def test_scheduler_calls_it(monitor: Monitor, scheduler: Callable[..., Any]) -> None:
    with scheduler():
        assert wait_for(lambda: len(monitor.calls) > 1)


@pytest.mark.usefixtures("quick")
def test_failure_is_kept_with_the_sign_of_life(
    monitor: Monitor, scheduler: Callable[..., Any]
) -> None:
    monitor.answers = [404] * 1000
    with scheduler() as process:
        wait_for(lambda: process._heartbeat.lease.call_error)
        process._heartbeat.hurry()
        row = wait_for(lambda: Process.objects.exclude(call_error="").first())
    assert row.call_error == "The answer was HTTP 404."


@pytest.mark.usefixtures("quick", "transactional_db")
def test_web_server_does_not_call_it(monitor: Monitor) -> None:
    with watch.beside_the_web_server():
        row = wait_for(lambda: Process.objects.first())
        wait_for(lambda: Process.objects.filter(seen_at__gt=row.seen_at).exists())
    assert monitor.calls == []


@pytest.mark.usefixtures("quick", "transactional_db")
def test_scheduler_whose_turns_fail_does_not_call_it(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_lease, "PATIENCE_SECONDS", 0.0)
    lease = ProcessLease(timedelta(minutes=1), timedelta(0))
    lease.renew(Load())
    with watch.beside_the_scheduler(lease):
        threading.Event().wait(0.5)
    assert monitor.calls == []


def test_scheduler_whose_turns_fail_does_not_count_as_alive(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = ProcessLease(timedelta(minutes=1), timedelta(0))
    lease.renew(Load())
    seen = Process.objects.get().seen_at
    monkeypatch.setattr(process_lease, "PATIENCE_SECONDS", 0.0)
    lease.renew(Load())
    assert Process.objects.get().seen_at == seen


def test_maintenance_on_aws_calls_it(eventbridge: Any, monitor: Monitor) -> None:
    lambda_handler.handler({"detail-type": "Reconcile Schedules"}, Context())
    assert monitor.calls == ["/ping/secret-id"]
