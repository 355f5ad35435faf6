"""Which scope an API key needs for each route of the API: one table, by the names of the routes.

A route or a method that is not in the table is refused to all keys. A test finds such routes.
"""

from typing import Final

from moca.api.errors import APIError, NotFoundError
from moca.authentication.api_keys.grant import Grant
from moca.authentication.api_keys.model import Scope

READ, RUN, WRITE, ADMIN = Scope.READ, Scope.RUN, Scope.WRITE, Scope.ADMIN
# Callers of these need a person's token or session: a key makes no keys.
NO_KEY: Final = None
_CHANGES = {"PUT": WRITE, "PATCH": WRITE, "DELETE": WRITE}
_OF_ADMINS = {"PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}

RULES: dict[str, dict[str, Scope | None]] = {
    "api-triggers": {"GET": READ, "POST": WRITE},
    "api-trigger": {"GET": READ, **_CHANGES},
    "api-pause-many": {"POST": WRITE},
    "api-resume-many": {"POST": WRITE},
    "api-enable": {"POST": WRITE},
    "api-disable": {"POST": WRITE},
    "api-pause": {"POST": WRITE},
    "api-resume": {"POST": WRITE},
    "api-trigger-budget": {"GET": READ},
    "api-prompts": {"GET": READ},
    "api-prompt-restore": {"POST": WRITE},
    "api-preview": {"POST": READ},
    "api-events": {"GET": READ},
    "api-run": {"POST": RUN},
    "api-replay": {"POST": RUN},
    "api-answer": {"POST": RUN},
    "api-cancel": {"POST": RUN},
    "api-backfill-start": {"POST": RUN},
    "api-backfill-stop": {"POST": RUN},
    "api-backfills": {"GET": READ},
    "api-backfill": {"GET": READ},
    "api-all-executions": {"GET": READ},
    "api-export-all": {"GET": READ},
    "api-export": {"GET": READ},
    "api-executions": {"GET": READ},
    "api-execution": {"GET": READ},
    "api-output": {"GET": READ},
    "api-agents": {"GET": READ, "POST": ADMIN},
    "api-agent": {"GET": READ, **_OF_ADMINS},
    "api-prices": {"GET": READ, "POST": ADMIN},
    "api-price": {"GET": READ, **_OF_ADMINS},
    "api-user-budgets": {"GET": READ, "POST": ADMIN},
    "api-user-budget": {"GET": READ, **_OF_ADMINS},
    "api-user-budget-resume": {"POST": ADMIN},
    "api-installation-pause": {"GET": READ, "POST": ADMIN},
    "api-installation-resume": {"POST": ADMIN},
    "api-channels": {"GET": ADMIN, "POST": ADMIN},
    "api-channel": {"GET": ADMIN, **_OF_ADMINS},
    "api-channel-test": {"POST": ADMIN},
    "api-alert-rules": {"GET": ADMIN, "POST": ADMIN},
    "api-alert-rule": {"GET": ADMIN, **_OF_ADMINS},
    # A fire token would outlive the key.
    "api-fire-token": dict.fromkeys(["GET", "POST", "DELETE"], NO_KEY),
    "api-keys": {"GET": NO_KEY, "POST": NO_KEY},
    "api-key": dict.fromkeys(["GET", "PUT", "PATCH", "DELETE"], NO_KEY),
}
# Routes without a trigger in their paths that keys for some triggers may use.
ABOUT_NO_TRIGGER = {
    ("api-agents", "GET"),
    ("api-events", "GET"),
    ("api-preview", "POST"),
    ("api-installation-pause", "GET"),
}


def require(grant: Grant, route: str, method: str, trigger_id: str | None) -> None:
    """Raise APIError 403 or 404 if a key does not allow a request.

    Args:
        grant: the key.
        route: the name of the route.
        method: the HTTP method.
        trigger_id: the id of the trigger in the path; None if there is none.
    """
    method = "GET" if method == "HEAD" else method
    if method == "OPTIONS":
        return
    needed = RULES.get(route, {}).get(method)
    if needed is None:
        raise APIError(403, "API keys may not do this: use the token or the session of a person.")
    if needed not in grant.scopes:
        raise APIError(403, f"This API key has no scope {needed.value}: use one that has it.")
    if trigger_id is not None:
        if not grant.is_for(trigger_id):
            raise NotFoundError("trigger")
    elif grant.trigger_ids and (route, method) not in ABOUT_NO_TRIGGER:
        raise APIError(403, "This API key is for some triggers: name one of them in the path.")
