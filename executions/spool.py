"""Keep the results of runs in files while the database is away, for the local scheduler process.

Each result has a file of its own, `ends/EXECUTION.json` in the data directory. It holds what the
run's record is to say about its end, and no prompt, event or secret. If a result is written twice,
nothing changes, because it is only written to a record that is unfinished.
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
from executions.pieces import fold_in
from executions.runner.complete import ANSWER, ENDING, log_ids, write

logger = logging.getLogger(__name__)

FOLDER = "ends"
DAMAGED = ".damaged"
# The fields of codes. Files of earlier editions lack them. A result from such a file clears them on
# the record.
CODES = {"error_code", "error_params", "warning_code", "warning_params"}
# What is kept of a run that is stopped, whose output so far is on record.
WITHOUT_OUTPUT = tuple(name for name in ENDING if name not in ANSWER)
# The fields that say which run it is.
IDENTITY = ("trigger_id", "user_id", "attempt", "started_at")


def add(execution: TriggerExecution, fields: Sequence[str] = ENDING) -> bool:
    """Keep the result of a run in a file, which replaces an earlier one of the same run.

    Args:
        execution: the record, with its result set.
        fields: the names of the fields that the result sets.

    Returns:
        False, and a log line says why, if the data directory cannot be written to.
    """
    path = _path(execution)
    text = json.dumps({"database": _database_name(), "run": _serialized(execution, fields)})
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


def remove(execution: TriggerExecution) -> None:
    """Remove the file of a result that is on record now."""
    _path(execution).unlink(missing_ok=True)


def drain() -> int:
    """Write the results in files to the database; returns how many were written.

    A damaged file is renamed, and the others are written all the same.

    Raises:
        OperationalError: the database is away; the files stay.
    """
    written = 0
    for path in sorted(_folder().glob("*.json")):
        try:
            found = _read(path)
        except FileNotFoundError:
            # Another process has written it.
            continue
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001  (a file may be damaged in many ways)
            _set_aside(path, error)
            continue
        if found is None:
            continue
        try:
            written += write([found], waited=True)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001  (one result must not keep schedules from firing)
            # A database's error may quote what the agent said.
            _set_aside(path, type(error).__name__)
            continue
        path.unlink(missing_ok=True)
    if written:
        logger.warning("Recorded the ends of %d runs that were kept in %s", written, _folder())
    return written


def _read(path: Path) -> TriggerExecution | None:
    """The run's record with the result in a file; None if the file is of another database.

    Raises:
        Exception: the file is damaged.
    """
    kept = json.loads(path.read_text())
    if kept["database"] != _database_name():
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
    # The file may be without the output, and then what was written before stays.
    fold_in(record)
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
    (run,) = json.loads(serializers.serialize("json", [execution], fields=(*IDENTITY, *fields)))
    return dict(run)


def _path(execution: TriggerExecution) -> Path:
    return _folder() / f"{quote(execution.pk, safe='')}.json"


def _folder() -> Path:
    return Path(settings.DATA_DIR) / FOLDER


def _database_name() -> str:
    """A name of the database, because the data directory may have been used with another one."""
    return f"{connection.vendor}:{connection.settings_dict['NAME']}"
