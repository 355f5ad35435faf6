"""Secrets that an agent quotes, taken out of all that is kept of its answer."""

import base64
import html
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import AgentClient, AgentError, FixedToken, Reply
from agents.demo import DemoAgent
from agents.masking import STARS, Mask, MaskedText
from agents.output import KEPT_AT_EACH_END
from tests.examples import examples
from tests.integration.agent.conftest import answering, invocation, raw_server

pytestmark = pytest.mark.usefixtures("driver")

TOKEN = "tkn-51f0c2a9e7"
SECRET = 'p4ss/"wörd"\n+line&two'


def delta(text: str) -> bytes:
    part = {"type": "textDelta", "text": text}
    return json.dumps({"type": "modelContentBlockDeltaEvent", "delta": part}).encode() + b"\n"


def completion(**metadata: str) -> bytes:
    return json.dumps({"type": "serverCompletionEvent", "metadata": metadata}).encode() + b"\n"


def reply_to(body: bytes, content_type: str = "text/plain") -> Reply:
    with (
        raw_server(answering(body, content_type)) as url,
        AgentClient(url, FixedToken(TOKEN)) as client,
    ):
        asked = invocation(secrets=(SECRET,))
        return client.invoke(asked, time_limit=5, max_retries=0)


def failure_of(body: bytes, content_type: str = "text/plain") -> AgentError:
    with pytest.raises(AgentError) as caught:
        reply_to(body, content_type)
    return caught.value


FORMS = {
    "plain": SECRET,
    "JSON": json.dumps(SECRET)[1:-1],
    "JSON in Unicode": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "JSON in JSON": json.dumps(json.dumps(SECRET))[3:-3],
    "JSON of PHP": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "URL": quote(SECRET, safe=""),
    "URL in lower case": re.sub("%..", lambda found: found[0].lower(), quote(SECRET, safe="")),
    "HTML": html.escape(SECRET),
    "Python": repr(SECRET)[1:-1],
}


@pytest.mark.parametrize("form", FORMS)
def test_form_is_masked_in_the_output(form: str) -> None:
    reply = reply_to(delta(f"I have <{FORMS[form]}>.") + completion())
    # Of escapes of escapes a backslash may be left at an edge.
    assert reply.output.text.replace("\\", "") == f"I have <{STARS}>."


@pytest.mark.parametrize("before", ["", "x", "xy", "user:"])
def test_base64_is_masked_wherever_it_stands_in_it(before: str) -> None:
    coded = base64.b64encode(f"{before}{TOKEN}:end".encode()).decode()
    said = reply_to(delta(f"Basic {coded}") + completion()).output.text
    around = -(-len(before) * 8 // 6) + 1
    assert re.fullmatch(rf"Basic .{{0,{around}}}\*\*\*.{{6,8}}", said)


def test_parameters_of_the_reason_are_masked() -> None:
    error = failure_of(f"I have {SECRET} and {TOKEN}".encode())
    kept = json.dumps(error.reason.params, ensure_ascii=False)
    assert (error.code, STARS in kept, SECRET in kept, TOKEN in kept) == (
        "line_no_json",
        True,
        False,
        False,
    )


TEXT = f"one {TOKEN} two {SECRET}{TOKEN} three"


@pytest.mark.parametrize("cut", range(len(TEXT) + 1))
def test_secret_is_masked_where_two_pieces_meet(cut: int) -> None:
    body = delta(TEXT[:cut]) + delta(TEXT[cut:]) + completion()
    assert reply_to(body).output.text == f"one {STARS} two {STARS}{STARS} three"


def test_chunks_of_single_characters() -> None:
    masked = MaskedText(Mask([TOKEN, SECRET]))
    said = "".join(map(masked.add, TEXT)) + masked.end()
    assert said == f"one {STARS} two {STARS}{STARS} three"


@pytest.mark.parametrize("offset", range(-len(TOKEN), 1))
def test_secret_across_the_end_of_the_head(offset: int) -> None:
    filling = "x" * (KEPT_AT_EACH_END + offset)
    output = reply_to(delta(filling + TOKEN + "y" * 3 * KEPT_AT_EACH_END) + completion()).output
    assert TOKEN[:6] not in output.head + output.tail


@pytest.mark.parametrize("offset", range(-len(TOKEN), 1))
def test_secret_across_the_beginning_of_the_tail(offset: int) -> None:
    body = delta("x" * 3 * KEPT_AT_EACH_END + TOKEN) + delta("y" * (KEPT_AT_EACH_END + offset))
    output = reply_to(body + completion()).output
    assert TOKEN[-6:] not in output.head + output.tail


def test_secret_in_which_the_stream_breaks_off() -> None:
    error = failure_of(delta(f"one {TOKEN[:10]}"))
    assert error.reply is not None
    assert error.reply.output.text == f"one {STARS}"


def test_ids_of_the_answer_are_masked() -> None:
    reply = reply_to(completion(requestId=f"r-{TOKEN}", sessionId=f"s-{TOKEN}"))
    assert (reply.request_id, reply.session_id) == (f"r-{STARS}", f"s-{STARS}")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no JSON: %b", "text/plain"),
        (b"%b" * 30, "text/plain"),
        (b"\xff %b", "text/plain"),
        (b'{"error": {"message": "%b"}}', "application/json"),
        (b'{"type": "serverErrorEvent", "error": {"message": "%b", "requestId": "%b"}}', "x/y"),
        (b"event: error\ndata: you sent %b\n\n", "text/event-stream"),
        (b"data: you sent %b\n\n", "text/event-stream"),
    ],
)
def test_error_that_quotes_is_masked(body: bytes, content_type: str) -> None:
    error = failure_of(body.replace(b"%b", TOKEN.encode()), content_type)
    told = f"{error.message} {error} {error.args} {error.request_id}"
    assert (TOKEN[:6] in told, STARS in told) == (False, True)


@pytest.mark.parametrize("before", range(180, 202))
def test_secret_where_a_quotation_is_cut_is_masked(before: int) -> None:
    assert TOKEN[:6] not in failure_of(b"x" * before + TOKEN.encode()).message


def test_secret_across_what_is_read_of_an_error() -> None:
    # What is masked takes less room, so that the end of what was read is quoted.
    token = "T0k3n" * 300
    body = (token * 12).encode()
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        raw_server(lambda peer: peer.sendall(head + body)) as url,
        AgentClient(url, FixedToken(token)) as client,
        pytest.raises(AgentError) as caught,
    ):
        client.invoke(invocation(), time_limit=5, max_retries=0)
    assert "T0k3n" not in caught.value.message


@pytest.mark.parametrize("secret", ["", "a", "ab", "abc", "   "])
def test_short_secret_is_not_masked(secret: str) -> None:
    text = "abc is a text about   nothing"
    assert Mask([secret]).text(text) == text


def test_credentials_of_a_header_are_masked_without_their_scheme() -> None:
    assert Mask(["Bearer abc-123-def"]).text("sent abc-123-def") == f"sent {STARS}"


def test_longer_secret_that_begins_as_a_shorter_one() -> None:
    masked = MaskedText(Mask(["abcd", "abcd-efgh"]))
    said = [masked.add(piece) for piece in ("x abcd", "-efgh y abcd", "-ef z")]
    assert "".join([*said, masked.end()]) == f"x {STARS} y {STARS}-ef z"


secrets = st.lists(st.text("ab-", min_size=4, max_size=9), min_size=1, max_size=3)


@given(secrets, st.text("ab- ", max_size=60), st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=examples(300), deadline=None)
def test_any_cutting_gives_the_same(found: list[str], text: str, cuts: list[int]) -> None:
    mask = Mask(found)
    masked = MaskedText(mask)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    said = "".join(masked.add(text[a:b]) for a, b in pairwise(edges)) + masked.end()
    assert said == mask.text(text)


@given(secrets, st.text("ab- ", max_size=60))
@settings(max_examples=examples(300), deadline=None)
def test_no_secret_is_left(found: list[str], text: str) -> None:
    said = Mask(found).text(text)
    assert not [secret for secret in found if secret.strip() in said and len(secret.strip()) >= 4]


@pytest.fixture
def quoting() -> Iterator[DemoAgent]:
    with DemoAgent(pause=0, check_tokens=False) as agent:
        yield agent


@pytest.mark.parametrize("how", ["", "demo: fail", "demo: status 403", "demo: json", "demo: sse"])
def test_demo_agent_that_quotes_its_request(quoting: DemoAgent, how: str) -> None:
    config = {"servers": {"mail": {"env": {"PASSWORD": SECRET}}}}
    asked = invocation(f"demo: quote\n{how}", mcp_config=config, secrets=(SECRET,))
    with AgentClient(quoting.url, FixedToken(TOKEN)) as client:
        try:
            told = client.invoke(asked, time_limit=5, max_retries=0).output.text
        except AgentError as error:
            told = error.message
    assert f"Bearer {STARS}" in told
    assert not [part for part in (TOKEN, "p4ss", "two") if part in told]
