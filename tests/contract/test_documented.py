"""The agents of docs/protocols/agentcore.md are run as they stand there, with the pinned SDKs."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings

from agents import Reply

PAGE = (settings.BASE_DIR / "docs" / "protocols" / "agentcore.md").read_text()
PLAIN, STRANDS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(NODE,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "program"), [("documented.py", PLAIN), ("documented.mjs", NODE)])
def test_the_shortest_agent_completes_a_run(
    ask: Callable[..., Reply], name: str, program: str
) -> None:
    assert ask(name, "agentcore", "Report.\nMore.", program).output.text == "Done: Report."


def test_agent_with_strands_is_recorded_with_its_tokens(ask: Callable[..., Reply]) -> None:
    # A stand-in takes the place of the model, which would need an account.
    program = STRANDS.replace("Agent()", "Agent(model=StandIn())")
    reply = ask(
        "documented_strands.py", "agentcore", "hello", "from standin import StandIn\n" + program
    )
    said = (reply.output.text, reply.input_tokens, reply.output_tokens)
    assert said == ("Hello world.", 11, 7)
