"""Describe the routes of exports in the API's OpenAPI document."""

from executions import exports
from executions.api.export import MOST_ROWS, NEXT, AllExportView, ExportView
from moca.api.json_schema import boolean, enum, moment, number, text
from moca.api.openapi import NEXT_TOKEN, Body, describe, in_query, invalid_parameter
from moca.api.parameters import MAX_TEXT
from triggers.api.schema import NO_TRIGGER, RUNS, TRIGGER_ID
from triggers.api.shapes import OUTCOME, STATUS

SEARCH = in_query(
    "search",
    text(maxLength=MAX_TEXT),
    "Only those whose agent has said all these words; a text in quotes is a phrase.",
)
DESCRIPTION = (
    f"Columns: {', '.join(exports.COLUMNS)}, with `output=true` `{exports.SAID}`, and "
    f"`{exports.NAME}`, which is empty if the trigger was deleted or is another user's by now. "
    "JSON lines leave out what is not set. A text in CSV that a spreadsheet would take for a "
    "formula begins with an apostrophe. Without `limit` the answer is streamed whole; with it, and "
    f"always on AWS, it is a part, and the header `{NEXT}` has the `nextToken` of the next one."
)
PARAMETERS = [
    in_query(
        "format", enum("ExportFormat", [*exports.FORMATS], "CSV, or JSON lines."), "`csv` without."
    ),
    in_query("output", boolean("Whether to export what agents said."), "`false` without."),
    in_query("limit", number(minimum=1, maximum=MOST_ROWS), "How many a part has at the most."),
    NEXT_TOKEN,
    in_query("status", STATUS, "Only those that are so."),
    in_query("outcome", OUTCOME, "Only those that ended so."),
    in_query("agentId", text(maxLength=MAX_TEXT), "Only those that asked this agent."),
    SEARCH,
    in_query("since", moment(), "Only those that were due at this time or later."),
    in_query("until", moment(), "Only those that were due before this."),
]
FILE = Body(
    text("A line for each execution."),
    "executionId,triggerId\r\n0194b0a9-51d0-7c11-8a6e-90f3b7d2c415,0194a1f2\r\n",
    media=tuple(kind.partition(";")[0] for kind in exports.FORMATS.values()),
)
WRONG = invalid_parameter("format", f"Give one of {', '.join(exports.FORMATS)}.")

describe(
    ExportView,
    "GET",
    "exportExecutions",
    DESCRIPTION,
    tag=RUNS,
    parameters=[TRIGGER_ID, *PARAMETERS],
    answers=FILE,
    faults=[WRONG, NO_TRIGGER],
)
describe(
    AllExportView,
    "GET",
    "exportAllExecutions",
    DESCRIPTION,
    tag=RUNS,
    parameters=[
        *PARAMETERS,
        in_query("triggerId", text(maxLength=MAX_TEXT), "Only those of this trigger."),
    ],
    answers=FILE,
    faults=[WRONG],
)
