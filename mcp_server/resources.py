"""Resources: triggers, and what agents said in their runs.

`moca://triggers/ID` is a trigger as JSON, `moca://triggers/ID/executions/ID/output` what an agent
said, as text.
"""

import json
import re
from typing import Any
from urllib.parse import quote, unquote

from mcp_server import outputs
from mcp_server.calls import Call, CallError, Session, send
from mcp_server.run_tools import read_output
from moca.api.errors import APIError
from moca.api.paths import IdConverter

# How many of the latest runs are listed on a page.
LISTED = 20
_TRIGGER = re.compile(r"moca://triggers/([^/]+)")
_OUTPUT = re.compile(r"moca://triggers/([^/]+)/executions/([^/]+)/output")
_ID = re.compile(IdConverter.regex)

TEMPLATES = [
    {
        "uriTemplate": "moca://triggers/{triggerId}/executions/{executionId}/output",
        "name": "run-output",
        "title": "Output of a run",
        "description": "What the agent said in a run. list_runs returns both ids.",
        "mimeType": "text/markdown",
    },
    {
        "uriTemplate": "moca://triggers/{triggerId}",
        "name": "trigger",
        "title": "Trigger",
        "description": "A trigger with its prompt and its schedule. list_triggers returns its id.",
        "mimeType": "application/json",
    },
]


class NoResourceError(Exception):
    """There is no such resource, or it is another user's."""


def list_latest(session: Session, cursor: str | None) -> dict[str, Any]:
    """The outputs of the latest runs, and `nextCursor` if there are more.

    Raises:
        CallError: the cursor is none of this list.
    """
    query = {"limit": str(LISTED), "nextToken": cursor}
    found = send(session, Call("api-all-executions", query=query))
    following = {"nextCursor": found["nextToken"]} if "nextToken" in found else {}
    return {"resources": [_resource(run) for run in found["executions"]], **following}


def read(session: Session, uri: str) -> list[dict[str, Any]]:
    """The contents of a resource.

    Raises:
        NoResourceError: there is none, or it is another user's.
        CallError: the API answers with another error.
    """
    try:
        if found := _OUTPUT.fullmatch(uri):
            return [{"uri": uri, **_output(session, _id(found[1]), _id(found[2]))}]
        if found := _TRIGGER.fullmatch(uri):
            path = {"trigger_id": _id(found[1])}
            trigger = send(session, Call("api-trigger", path=path))["trigger"]
            text = json.dumps(trigger, ensure_ascii=False, indent=2)
            return [{"uri": uri, "mimeType": "application/json", "text": text}]
    except (APIError, CallError) as error:
        if error.status != 404:
            raise
    raise NoResourceError


def uri_of_output(trigger_id: str, execution_id: str) -> str:
    quoted = quote(trigger_id, safe=""), quote(execution_id, safe="")
    return f"moca://triggers/{quoted[0]}/executions/{quoted[1]}/output"


def _id(quoted: str) -> str:
    found = unquote(quoted)
    if not _ID.fullmatch(found):
        raise NoResourceError
    return found


def _output(session: Session, trigger_id: str, execution_id: str) -> dict[str, str]:
    """The first part of an output, with a line that says how to read on."""
    ids = {"trigger_id": trigger_id, "execution_id": execution_id}
    part = read_output(session, ids, 0, outputs.MOST_PART)
    text = part["text"]
    if not part["done"]:
        text += f"\n\n[More may follow: call read_run_output with after={part['next']}.]"
    return {"mimeType": "text/markdown", "text": text}


def _resource(run: dict[str, Any]) -> dict[str, Any]:
    uri = uri_of_output(run["triggerId"], run["executionId"])
    when = run.get("startedAt", "")
    return {
        "uri": uri,
        "name": f"run-{run['executionId']}",
        "title": f"Run of {when}: {run.get('outcome', run['status'])}",
        "description": f"What the agent said in a run of trigger {run['triggerId']}.",
        "mimeType": "text/markdown",
        **({"annotations": {"lastModified": when}} if when else {}),
    }
