"""Faults of the network and of the service, let in where botocore sends."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

PREFIX = "com.amazonaws.dynamodb.v20120810#"
# Decides on a request: None to let it pass, else the answer.
Fault = Callable[[str, Any, Callable[[], Any]], Any]


class Raw:
    """The body of an answer, as urllib3 would have it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


def answer(body: dict[str, Any], status: int = 200) -> AWSResponse:
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse("http://fault", status, headers, Raw(json.dumps(body).encode()))


def refusal(code: str, message: str = "No.", status: int = 400, **more: Any) -> AWSResponse:
    """An error as the service words it."""
    return answer({"__type": PREFIX + code, "Message": message, **more}, status)


def cancelled(*codes: str) -> AWSResponse:
    """A transaction that was cancelled, with a reason for each item."""
    reasons = [{"Code": code} for code in codes]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)


def lost_answer(send: Callable[[], Any]) -> Any:
    """Let the service do it, and never hear of it."""
    send()
    raise ReadTimeoutError(endpoint_url="http://fault")


@contextmanager
def fault(wrapper: Any, decide: Fault) -> Iterator[list[str]]:
    """Ask `decide` about each request; gives the names of the operations that were sent.

    Args:
        wrapper: the connection whose client is concerned.
        decide: takes the operation's name, the request's body and what sends it.
    """
    client = wrapper.service.raw
    sent: list[str] = []

    def before_send(request: Any, **_: Any) -> Any:
        operation = request.headers["X-Amz-Target"].decode().split(".")[-1]
        sent.append(operation)
        return decide(
            operation,
            json.loads(request.body),
            lambda: client._endpoint.http_session.send(request),
        )

    client.meta.events.register_first("before-send.dynamodb", before_send)
    try:
        yield sent
    finally:
        client.meta.events.unregister("before-send.dynamodb", before_send)


def times(count: int, *operations: str) -> Callable[[Callable[..., Any]], Fault]:
    """Let the first so many requests of these operations fail, and all others pass."""

    def made(fail: Callable[..., Any]) -> Fault:
        left = [count]

        def decide(operation: str, body: Any, send: Callable[[], Any]) -> Any:
            if operation not in operations or not left[0]:
                return None
            left[0] -= 1
            return fail(send)

        return decide

    return made
