"""Where the client connects to: configuration, `login`, and servers that fail."""

import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.integration.client.conftest import CommandLine, code_and_error

Answer = tuple[int, dict[str, str], bytes]
EMPTY = b'{"triggers": [], "metadata": {}}'
BUSY: Answer = (503, {}, b'{"error": "Service Unavailable", "message": "The database is busy."}')


@contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers, the last one again and again; with the requests it got."""
    got: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            got.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}")
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}", got
        finally:
            made.shutdown()
            thread.join()


def test_login_keeps_the_token_for_its_owner_alone(
    moca: CommandLine, config_file: Path, token: Callable[[str], str]
) -> None:
    moca("login", given=f"{token('bob')}\n", MOCA_TRIGGERS_TOKEN="")
    found = json.loads(
        moca("whoami", "--json", MOCA_TRIGGERS_TOKEN="", MOCA_TRIGGERS_URL="").stdout
    )
    assert (found["user"], stat.S_IMODE(config_file.stat().st_mode)) == ("bob", 0o600)


def test_login_checks_the_token_first(moca: CommandLine, config_file: Path) -> None:
    done = moca("login", given="wrong\n", MOCA_TRIGGERS_TOKEN="")
    assert (done.returncode, config_file.exists()) == (4, False)


def test_logout_forgets_the_token(
    moca: CommandLine, config_file: Path, token: Callable[[str], str]
) -> None:
    moca("login", given=token("bob"))
    moca("logout")
    assert not config_file.exists()


def test_a_file_that_others_may_read_is_refused(
    moca: CommandLine, config_file: Path, token: Callable[[str], str]
) -> None:
    moca("login", given=token("bob"))
    config_file.chmod(0o644)
    done = moca("list", MOCA_TRIGGERS_TOKEN="")
    assert (done.returncode, f"Run `chmod 600 {config_file}`." in done.stderr) == (2, True)


def test_the_files_token_is_sent_to_its_own_address_alone(
    moca: CommandLine, token: Callable[[str], str]
) -> None:
    moca("login", given=token("bob"))
    with server((200, {}, EMPTY)) as (url, got):
        moca("list", MOCA_TRIGGERS_TOKEN="", MOCA_TRIGGERS_URL=url)
    assert got == ["GET /triggers?limit=100 "]


def test_no_address_is_wrong_usage(moca: CommandLine) -> None:
    assert code_and_error(moca("list", MOCA_TRIGGERS_URL="")) == (
        2,
        "Error: No installation is named. Set MOCA_TRIGGERS_URL to its address, or run "
        "`moca-triggers login`.",
    )


@pytest.mark.parametrize(
    "url", ["moca.example.com", "ftp://a", "http://", "http://u:p@h", "http://[x"]
)
def test_an_address_that_is_none_is_wrong_usage(moca: CommandLine, url: str) -> None:
    assert moca("list", MOCA_TRIGGERS_URL=url).returncode == 2


@pytest.mark.parametrize("wrong", ["two words", "sch\u00f6n", "a\nb"])
def test_a_token_that_no_header_can_hold_is_wrong_usage(moca: CommandLine, wrong: str) -> None:
    assert code_and_error(moca("list", MOCA_TRIGGERS_TOKEN=wrong)) == (
        2,
        "Error: The token contains characters that no token has. Copy it again, as one line.",
    )


def test_a_wrong_token_is_refused(moca: CommandLine) -> None:
    code, error = code_and_error(moca("list", MOCA_TRIGGERS_TOKEN="wrong"))
    assert (code, "Set MOCA_TRIGGERS_TOKEN to a valid token" in error) == (4, True)


def test_no_error_shows_the_token(moca: CommandLine) -> None:
    with server((500, {}, b'{"error": "Internal Server Error"}')) as (url, _got):
        done = moca("list", MOCA_TRIGGERS_URL=url, MOCA_TRIGGERS_TOKEN="s3cret")
    assert ("s3cret" in done.stderr + done.stdout, done.returncode) == (False, 3)


def test_a_server_that_is_away_is_unreachable(moca: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    code, error = code_and_error(moca("list", MOCA_TRIGGERS_URL=url))
    assert (code, error[: len(url) + 25]) == (3, f"Error: {url} cannot be reached")


def test_a_server_that_is_silent_is_given_up(moca: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = moca("--timeout", "0.2", "list", MOCA_TRIGGERS_URL=url)
    assert code_and_error(done) == (
        3,
        f"Error: {url} did not answer within 0.2 s. Try again, or set a longer time-out.",
    )


def test_another_web_server_is_named_as_such(moca: CommandLine) -> None:
    with server((200, {}, b"<html>")) as (url, _got):
        code, error = code_and_error(moca("list", MOCA_TRIGGERS_URL=url))
    assert (code, "is the address of Moca Triggers" in error) == (3, True)


def test_no_redirect_gets_the_token(moca: CommandLine) -> None:
    with (
        server((200, {}, EMPTY)) as (other, got),
        server((302, {"Location": other}, b"")) as (url, _got),
    ):
        done = moca("list", MOCA_TRIGGERS_URL=url)
    assert (got, done.returncode) == ([], 3)


def test_a_busy_server_is_asked_again(moca: CommandLine) -> None:
    with server(BUSY, BUSY, (200, {}, EMPTY)) as (url, got):
        done = moca("list", MOCA_TRIGGERS_URL=url)
    assert (done.returncode, len(got)) == (0, 3)


def test_a_run_is_not_asked_for_twice(moca: CommandLine) -> None:
    trigger = (200, {}, b'{"trigger": {"id": "a", "name": "a"}}')
    with server(trigger, BUSY) as (url, got):
        moca("run", "a", MOCA_TRIGGERS_URL=url)
    assert [each.split()[0] for each in got] == ["GET", "POST"]


def test_too_many_requests_wait_as_the_server_says(moca: CommandLine) -> None:
    often: Answer = (429, {"Retry-After": "1"}, b'{"error": "Too Many Requests"}')
    trigger = (200, {}, b'{"trigger": {"id": "a", "name": "a"}}')
    started = (202, {}, b'{"execution": {"executionId": "b"}}')
    with server(trigger, often, started) as (url, got):
        done = moca("run", "a", MOCA_TRIGGERS_URL=url)
    assert (done.returncode, len(got)) == (0, 3)


def test_a_pipe_that_closes_is_no_error(moca: CommandLine, live_server: LiveServer) -> None:
    with moca.start("--help") as process:
        if process.stdout:
            process.stdout.close()
        error = process.stderr.read() if process.stderr else ""
    assert (process.returncode, error) == (0, "")
