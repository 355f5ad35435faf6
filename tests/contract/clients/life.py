"""The whole life of a trigger, with the package that openapi-python-client made from the API.

Prints what it saw as JSON.
"""

import json
import sys
import time
from http import HTTPStatus

from moca_api.api.runs import get_execution, get_execution_output, run_trigger
from moca_api.api.schedules import preview_schedule
from moca_api.api.triggers import (
    create_trigger,
    delete_trigger,
    disable_trigger,
    enable_trigger,
    get_trigger,
    list_triggers,
    update_trigger,
)
from moca_api.client import AuthenticatedClient
from moca_api.models import (
    OverlapPolicy,
    PreviewRequest,
    ScheduleConfigInput,
    TriggerCreate,
    TriggerType,
    TriggerUpdate,
)

url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)
schedule = ScheduleConfigInput(expression="cron(0 9 ? * MON-FRI *)", timezone="Asia/Tokyo")
new = TriggerCreate(
    name="Typed",
    type_=TriggerType.SCHEDULE,
    agent_id="reporter",
    prompt="Report.",
    schedule_config=schedule,
)
created = create_trigger.sync(client=client, body=new).trigger
wrong = preview_schedule.sync(client=client, body=PreviewRequest(expression="0 9 * * 1-5"))
changes = TriggerUpdate(description="Changed.", tags=["typed"], overlap_policy=OverlapPolicy.ALLOW)
changed = update_trigger.sync(
    created.id, client=client, body=changes, if_match=f'"{created.version}"'
).trigger
disabled = disable_trigger.sync(created.id, client=client).trigger
enabled = enable_trigger.sync(created.id, client=client).trigger
listed = list_triggers.sync(client=client, search="Typed", limit=10).triggers
run = run_trigger.sync(created.id, client=client).execution
output, after, done = "", 0, False
while not done:
    said = get_execution_output.sync(created.id, run.execution_id, client=client, after=after)
    output, after, done = output + said.text, said.next_, said.done
    time.sleep(0.1)
ended = get_execution.sync(created.id, run.execution_id, client=client).execution
success = delete_trigger.sync(created.id, client=client).success
gone = get_trigger.sync_detailed(created.id, client=client).status_code
seen = {
    "suggestion": wrong.details[0].suggestion,
    "version": changed.version,
    "states": [disabled.enabled, enabled.enabled],
    "listed": len(listed),
    "outcome": ended.outcome,
    "said": "Report." in output,
    "deleted": success,
    "gone": HTTPStatus(gone).value,
}
sys.stdout.write(json.dumps(seen))
