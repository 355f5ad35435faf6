"""Searches what agents have said, for the API and the pages.

On SQLite, an FTS5 table has the words of all runs that have ended. Triggers of the database note
which runs are to be indexed, in the transaction that writes them, and `index_some()` indexes them a
moment later: a burst of runs pays for a small row each. Elsewhere a search reads the newest runs
one by one, `MOST_READ` at the most.

The tokenizer is `unicode61`, and each character of Chinese, Japanese and Korean is a word of its
own: a search for two characters is a search for two words side by side. SQLite's own `trigram`
finds nothing that is shorter than three characters, which most Japanese words are.
"""

import logging
import re
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models.expressions import RawSQL

from executions.models import TriggerExecution, TriggerExecutionQuerySet
from triggers.models import RunStatus

logger = logging.getLogger(__name__)

# How many runs one transaction indexes, and how many earlier runs one notes.
AT_ONCE = 50
NOTED_AT_ONCE = 1000
# How many runs a search reads where there is no index.
MOST_READ = 500
MOST_TERMS = 20
# How many runs that are not indexed yet a search indexes itself.
MOST_AT_SEARCH = 200
# Characters beside what was found, in a snippet.
BESIDE = 70

_CJK = re.compile(
    "([\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff])"
)
_TERMS = re.compile(r'"([^"]*)"|([^\s"]+)')
_WORD = re.compile(r"[^\W_]")
_SEPARATORS = re.compile(r"[\W_]+")

RUNS = "executions_triggerexecution"
FTS, ROWS, STATE = "executions_said", "executions_saidrow", "executions_saidstate"
DONE = "done"
ENDED = f"new.status != '{RunStatus.RUNNING}' AND new.output != ''"
NOTE = (
    f"INSERT INTO {ROWS} (execution_id) VALUES (new.id) "
    "ON CONFLICT (execution_id) DO UPDATE SET is_indexed = 0;"
)
OWN = f"(SELECT id FROM {ROWS} WHERE execution_id = old.id)"
SCHEMA = [
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {FTS} USING fts5"
    "(said, tokenize = 'unicode61 remove_diacritics 2')",
    f"CREATE TABLE IF NOT EXISTS {ROWS} (id INTEGER PRIMARY KEY, "
    "execution_id TEXT NOT NULL UNIQUE, is_indexed INTEGER NOT NULL DEFAULT 0)",
    f"CREATE INDEX IF NOT EXISTS {ROWS}_waiting ON {ROWS} (id) WHERE is_indexed = 0",
    f"CREATE TABLE IF NOT EXISTS {STATE} (noted_until TEXT NOT NULL)",
    # A migration that makes the table of runs anew drops its triggers.
    *(f"DROP TRIGGER IF EXISTS {FTS}_{name}" for name in ("insert", "update", "delete")),
    f"CREATE TRIGGER {FTS}_insert AFTER INSERT ON {RUNS} WHEN {ENDED} BEGIN {NOTE} END",
    f"CREATE TRIGGER {FTS}_update AFTER UPDATE OF status, output, output_tail ON {RUNS} "
    f"WHEN {ENDED} BEGIN {NOTE} END",
    f"CREATE TRIGGER {FTS}_delete AFTER DELETE ON {RUNS} BEGIN "
    f"DELETE FROM {FTS} WHERE rowid = {OWN}; "
    f"DELETE FROM {ROWS} WHERE execution_id = old.id; END",
]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase that a run has to have said.

    Attributes:
        text: it, normalized.
        is_phrase: whether it was in quotes: then its last word is whole.
    """

    text: str
    is_phrase: bool


def install(**_: Any) -> None:
    """Make the index, if the database is SQLite and has FTS5. It is called after migrations."""
    if connection.vendor != "sqlite" or RUNS not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        try:
            for statement in SCHEMA:
                cursor.execute(statement)
        except DatabaseError as error:
            logger.warning("Runs are searched without an index: %s", error)
            return
        # A new index notes the earlier runs from the newest to the oldest.
        cursor.execute(f"SELECT 1 FROM {STATE}")
        if cursor.fetchone() is None:
            cursor.execute(f"SELECT 1 FROM {RUNS} LIMIT 1")
            until = "" if cursor.fetchone() else DONE
            cursor.execute(f"INSERT INTO {STATE} VALUES (%s)", [until])


def has_index() -> bool:
    """Whether the database has an index of what agents said."""
    if connection.vendor != "sqlite":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM sqlite_master WHERE name = %s", [STATE])
        return cursor.fetchone() is not None


def terms_of(query: str) -> list[Term]:
    """The words and the phrases in quotes of a query; those without a letter or digit are left out.

    Nothing in a query is an operator.
    """
    found = []
    for phrase, word in _TERMS.findall(query):
        text = _normalized(phrase or word).strip()
        if _WORD.search(text):
            found.append(Term(text, bool(phrase)))
    return found[:MOST_TERMS]


def narrow(rows: TriggerExecutionQuerySet, terms: Sequence[Term]) -> TriggerExecutionQuerySet:
    """The runs that have said all terms, by the index. No run has said no terms."""
    if not terms:
        return rows.none()
    _index_now()
    ids = (
        f"SELECT r.execution_id FROM {FTS} JOIN {ROWS} r ON r.id = {FTS}.rowid WHERE {FTS} MATCH %s"
    )
    return rows.filter(pk__in=RawSQL(ids, [" AND ".join(map(_matching, terms))]))  # noqa: S611


def has_said(execution: TriggerExecution, terms: Sequence[Term]) -> bool:
    """Whether a run that has ended has said all terms, where there is no index."""
    if not terms or execution.status == RunStatus.RUNNING:
        return False
    said = _tokens(f"{execution.output}\n{execution.output_tail}")
    return all(_part(term) in said for term in terms)


def snippet(execution: TriggerExecution, terms: Sequence[Term]) -> list[tuple[str, bool]]:
    """What was said around the first of the terms: pieces of text, and whether each was found.

    It is empty if the words of the terms cannot be seen, such as an e for an é.
    """
    any_of = "|".join(r"\s+".join(map(re.escape, term.text.split())) for term in terms)
    said = _normalized(f"{execution.output}\n{execution.output_tail}")
    pattern = re.compile(any_of, re.IGNORECASE)
    first = pattern.search(said) if terms else None
    if first is None:
        return []
    start, end = max(0, first.start() - BESIDE), first.end() + 2 * BESIDE
    shown = ("…" if start else "") + " ".join(said[start:end].split())
    shown += "…" if end < len(said) else ""
    pieces, last = [], 0
    for match in pattern.finditer(shown):
        pieces += [(shown[last : match.start()], False), (match[0], True)]
        last = match.end()
    return [piece for piece in [*pieces, (shown[last:], False)] if piece[0]]


def index_some(seconds: float) -> int:
    """Index runs for so long at the most, many in one transaction; returns how many.

    Raises:
        OperationalError: the database is away.
    """
    end, done = time.monotonic() + seconds, 0
    if not has_index():
        return 0
    while time.monotonic() < end:
        count = _index(AT_ONCE) or _note_earlier()
        if not count:
            break
        done += count
        # Others write in between.
        time.sleep(0.005)
    return done


def _index_now() -> None:
    """Index the runs that have just ended, so that a search finds them."""
    if connection.in_atomic_block:
        _index(MOST_AT_SEARCH)
        return
    try:
        for _ in range(MOST_AT_SEARCH // AT_ONCE):
            if not _index(AT_ONCE):
                return
    except DatabaseError as error:
        # Another process writes. The search finds what is indexed.
        logger.info("The newest runs could not be indexed: %s", type(error).__name__)


def _index(most: int) -> int:
    with connection.cursor() as cursor:
        waiting = f"SELECT id, execution_id FROM {ROWS} WHERE is_indexed = 0 LIMIT %s"
        cursor.execute(waiting, [most])
        if cursor.fetchone() is None:
            return 0
        with transaction.atomic():
            cursor.execute(waiting, [most])
            keys = {execution_id: key for key, execution_id in cursor.fetchall()}
            texts = TriggerExecution.objects.filter(pk__in=keys).values_list(
                "pk", "output", "output_tail"
            )
            rows = [(keys[pk], _words(f"{head}\n{tail}")) for pk, head, tail in texts]
            own = [(key,) for key in keys.values()]
            cursor.executemany(f"DELETE FROM {FTS} WHERE rowid = %s", own)
            cursor.executemany(f"INSERT INTO {FTS} (rowid, said) VALUES (%s, %s)", rows)
            cursor.executemany(f"UPDATE {ROWS} SET is_indexed = 1 WHERE id = %s", own)
    return len(keys)


def _note_earlier() -> int:
    """Note runs from before the index was made, from the newest to the oldest."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT noted_until FROM {STATE}")
        (until,) = cursor.fetchone() or (DONE,)
        if until == DONE:
            return 0
        rows = TriggerExecution.objects.order_by("-pk").values_list("pk", "status", "output_bytes")
        some = list((rows.filter(pk__lt=until) if until else rows)[:NOTED_AT_ONCE])
        ended = [(pk,) for pk, status, size in some if size and status != RunStatus.RUNNING]
        with transaction.atomic():
            cursor.executemany(
                f"INSERT OR IGNORE INTO {ROWS} (execution_id) VALUES (%s)",
                ended,
            )
            last = some[-1][0] if len(some) == NOTED_AT_ONCE else DONE
            cursor.execute(f"UPDATE {STATE} SET noted_until = %s", [last])
    return len(some)


def _matching(term: Term) -> str:
    """A term in the language of FTS5, where a text in quotes has no operators."""
    words = _words(term.text).strip()
    is_beginning = not term.is_phrase and not _CJK.match(words[-1])
    quoted = words.replace('"', '""')
    return f'"{quoted}"' + ("*" if is_beginning else "")


def _part(term: Term) -> str:
    """A term as it stands in `_tokens()`; the last word of it may go on, unless it is a phrase."""
    tokens = _tokens(term.text)
    return tokens if term.is_phrase else tokens.rstrip()


def _tokens(text: str) -> str:
    """The words of a text in one case, with a space before and after each."""
    return f" {' '.join(_SEPARATORS.sub(' ', _words(text).casefold()).split())} "


def _words(text: str) -> str:
    """A text whose words the tokenizer finds."""
    return _CJK.sub(r" \1 ", _normalized(text))


def _normalized(text: str) -> str:
    """One form for letters of any width."""
    return unicodedata.normalize("NFKC", text)
