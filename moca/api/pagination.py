"""Cursor pagination for the API's lists, by id; signed cursors are bound to their list."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.core import signing
from django.db import NotSupportedError
from django.db.models import Model, QuerySet

from moca.api.errors import InvalidParameterError

Row = TypeVar("Row", bound=Model)

# A filtered page looks through at most MOST_READ rows, READ_AT_ONCE at a time.
READ_AT_ONCE, MOST_READ = 50, 500


def page(
    rows: QuerySet[Row],
    *,
    limit: int,
    token: str | None,
    bound_to: Sequence[Any],
    oldest_first: bool = False,
    searched_by: str = "",
) -> tuple[list[Row], dict[str, str]]:
    """Read one page in one query.

    Args:
        rows: all rows, in any order.
        limit: the greatest number of rows on a page.
        token: the `nextToken` of the page before; None or empty for the first page.
        bound_to: the user, the route and the filters. A token is valid for these only, and for one
            order.
        oldest_first: whether the list begins with the lowest id.
        searched_by: the query parameter that filters without an index, if there is one.

    Returns:
        The rows, and `{"nextToken": ...}` if more rows follow.

    Raises:
        InvalidParameterError: the token is invalid or belongs to another list, or the search by
            `searched_by` would read more rows than the database allows.
    """
    salt = _salt(bound_to, oldest_first)
    try:
        found = list(_rest(rows, _last(token, salt), oldest_first)[: limit + 1])
    except NotSupportedError as error:
        if not searched_by:
            raise
        message = "There are too many rows to look through for this: ask without it."
        raise InvalidParameterError(searched_by, message) from error
    if len(found) <= limit:
        return found, {}
    del found[limit:]
    return found, _following(found[-1].pk, salt)


def filtered_page(
    rows: QuerySet[Row],
    matches: Callable[[Row], bool],
    *,
    limit: int,
    token: str | None,
    bound_to: Sequence[Any],
    oldest_first: bool = False,
) -> tuple[list[Row], dict[str, str]]:
    """One page of the rows that match, for a filter that no index knows.

    It reads at most `MOST_READ` rows, so that a page has a highest cost. It may therefore have
    fewer rows than `limit`, or none, although more follow.

    Args:
        rows: all rows, in any order.
        matches: whether a row belongs in the list.
        limit: how many rows a page has at the most.
        token: the nextToken of the page before; None or empty for the first page.
        bound_to: what a token is good for: the user, the route and the filters.
        oldest_first: whether the list begins with the lowest id.

    Returns:
        The rows, and `{"nextToken": ...}` if there may be more.

    Raises:
        InvalidParameterError: the token was made for something else, or by somebody else.
    """
    salt = _salt(bound_to, oldest_first)
    last = _last(token, salt)
    found: list[Row] = []
    for _round in range(MOST_READ // READ_AT_ONCE):
        some = list(_rest(rows, last, oldest_first)[:READ_AT_ONCE])
        for row in some:
            last = row.pk
            if matches(row):
                found.append(row)
            if len(found) == limit:
                return found, _following(last, salt)
        if len(some) < READ_AT_ONCE:
            return found, {}
    return found, _following(last, salt)


def token_after(last: str, bound_to: Sequence[Any]) -> str:
    """A `nextToken` for what follows an id, newest first; `bound_to` is as for `page()`."""
    return _following(last, _salt(bound_to, oldest_first=False))["nextToken"]


def last_of(token: str | None, bound_to: Sequence[Any]) -> str:
    """The id that a token of `token_after()` names; empty without a token.

    Raises:
        InvalidParameterError: the token is invalid or belongs to another list.
    """
    return _last(token, _salt(bound_to, oldest_first=False))


def _rest(rows: QuerySet[Row], last: str, oldest_first: bool) -> QuerySet[Row]:
    """The rows that follow the row with the id `last`, in order; all if it is empty."""
    if last:
        rows = rows.filter(pk__gt=last) if oldest_first else rows.filter(pk__lt=last)
    return rows.order_by("pk" if oldest_first else "-pk")


def _salt(bound_to: Sequence[Any], oldest_first: bool) -> str:
    order = " oldest first" if oldest_first else ""
    return f"moca.api.pagination{order} {json.dumps(bound_to)}"


def _following(last: str, salt: str) -> dict[str, str]:
    return {"nextToken": signing.Signer(salt=salt).sign_object(last)}


def _last(token: str | None, salt: str) -> str:
    """The id that a token names; empty without a token."""
    if not token:
        return ""
    try:
        return str(signing.Signer(salt=salt).unsign_object(token))
    except signing.BadSignature as error:
        message = "This is no token of this list: start again without one."
        raise InvalidParameterError("nextToken", message) from error
