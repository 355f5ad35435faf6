"""Ends of runs that the database did not take, as files that a later process writes to it.

One file an end, `ends/EXECUTION.json` in the data directory. A file holds what the run's record
would hold about its end, and no prompt, event or secret. Taking up a file twice changes nothing: an
end is written only to a record that still waits for it.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core import serializers
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from executions.models import TriggerExecution
from executions.runner.complete import ENDING, log_ids, write

logger = logging.getLogger(__name__)

FOLDER = "ends"
DAMAGED = ".damaged"
# What the answer of the agent gives to the end of a run. If the run is broken off, what the agent
# said so far is on record already.
OF_THE_ANSWER = {
    "request_id",
    "session_id",
    "output",
    "output_tail",
    "output_bytes",
    "usage",
}
# What an end says in a code. A file of an earlier edition has none of these: its end has no code,
# whatever stands on the record.
CODES = {"error_code", "error_params", "warning_code", "warning_params"}
WITHOUT_OUTPUT = tuple(name for name in ENDING if name not in OF_THE_ANSWER)
# What says which run it is.
NAMING = ("trigger_id", "user_id", "attempt", "started_at")


def keep(execution: TriggerExecution, fields: Sequence[str] = ENDING) -> bool:
    """Keep an end in a file, in place of an earlier one of the same run.

    Args:
        execution: the record, with its result set.
        fields: the fields that the end sets.

    Returns:
        Whether it is kept: False, with a log line, if the data directory cannot be written to.
    """
    path = _path(execution)
    text = json.dumps({"database": _database(), "run": _serialized(execution, fields)})
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as to:
            to.write(text)
            to.flush()
            os.fsync(to.fileno())
        unfinished.replace(path)
    except OSError as error:
        reason = "The end of a run could not be kept in %s (%s); it is kept in memory"
        logger.error(reason, path.parent, error.strerror, extra=log_ids(execution))
        return False
    return True


def forget(execution: TriggerExecution) -> None:
    """Remove an end that is on record now."""
    _path(execution).unlink(missing_ok=True)


def take_up() -> int:
    """Write the ends that are kept in files to the database; returns how many were written.

    Raises:
        OperationalError: the database is away; the files stay.
    """
    written = 0
    for path in sorted(_folder().glob("*.json")):
        try:
            found = _read(path)
        except FileNotFoundError:
            # Another process was faster.
            continue
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001  (there are many ways to be damaged)
            _set_aside(path, error)
            continue
        if found is None:
            continue
        try:
            written += write([found], waited=True)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001  (one end must not keep schedules from firing)
            # A database's error may quote what the agent said.
            _set_aside(path, type(error).__name__)
            continue
        path.unlink(missing_ok=True)
    if written:
        logger.warning("Recorded the ends of %d runs that were kept in %s", written, _folder())
    return written


def _read(path: Path) -> TriggerExecution | None:
    """The run's record with the end that a file holds; None if it is of another database.

    Raises:
        Exception: the file is damaged.
    """
    kept = json.loads(path.read_text())
    if kept["database"] != _database():
        return None
    (restored,) = serializers.deserialize("python", [kept["run"]])
    end = restored.object
    if not isinstance(end, TriggerExecution):
        raise TypeError("It is no end of a run.")
    end.clean_fields(exclude={"ttl", "source", "session_id"})
    record = TriggerExecution.objects.filter(trigger_id=end.trigger_id, pk=end.pk).first()
    if record is None:
        # The record has expired.
        return end
    for name in {*kept["run"]["fields"], *CODES, "attempt"} & {*ENDING, "attempt"}:
        setattr(record, name, getattr(end, name))
    return record


def _set_aside(path: Path, reason: object) -> None:
    aside = path.with_name(path.name + DAMAGED)
    logger.error("%s is damaged (%s); it is set aside as %s", path, reason, aside.name)
    try:
        path.replace(aside)
    except OSError as error:
        logger.error("%s could not be set aside: %s", path, error.strerror)


def _serialized(execution: TriggerExecution, fields: Sequence[str]) -> dict[str, Any]:
    (run,) = json.loads(serializers.serialize("json", [execution], fields=(*NAMING, *fields)))
    return dict(run)


def _path(execution: TriggerExecution) -> Path:
    return _folder() / f"{quote(execution.pk, safe='')}.json"


def _folder() -> Path:
    return Path(settings.DATA_DIR) / FOLDER


def _database() -> str:
    """A name for the database, because a data directory may have been used with another one."""
    return f"{connection.vendor}:{connection.settings_dict['NAME']}"
