"""The only write path of prices and users' budgets. The pages and the API call it.

It writes each change with its audit entry, or not at all.
"""

from collections.abc import Callable
from typing import TypeVar

from moca import audit
from moca.concurrency import ConflictError, rewrite
from triggers.models import Price, UserBudget

Record = TypeVar("Record", Price, UserBudget)

# Exceptions that refuse a change. Their message is for the operator.
REFUSALS: tuple[type[Exception], ...] = (
    ConflictError,
    Price.DoesNotExist,
    UserBudget.DoesNotExist,
)


def save(row: Price | UserBudget, *, by: str) -> None:
    """Create or change a row that the caller has validated.

    Raises:
        ConflictError: somebody else changed the row since it was read.
        IntegrityError: somebody else has created a row of this name.
    """
    audit.save(row, by=by)


def change(row: Record, apply: Callable[[Record], None], *, by: str) -> None:
    """Read a row, change it and save it, in one transaction.

    Args:
        row: an instance with the key, which is read again.
        apply: changes and validates the row.
        by: the operator's name.

    Raises:
        DoesNotExist: there is no such row.
        ConflictError: others changed the row at each attempt.
        Exception: what `apply` raises.
    """

    def write() -> None:
        apply(row)
        audit.save(row, by=by, covered=True)

    rewrite(row, write)


def delete(row: Price | UserBudget, *, by: str) -> None:
    """Delete a row. A user's triggers fire again then.

    Raises:
        DoesNotExist: somebody else has deleted it.
        ConflictError: others changed the row at each attempt.
    """
    rewrite(row, lambda: audit.delete(row, by=by))
