"""Cursor pagination for the API's lists, newest first; signed cursors are bound to their list."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from django.core import signing
from django.db import NotSupportedError
from django.db.models import Model, QuerySet

from moca.api.errors import InvalidParameterError

Row = TypeVar("Row", bound=Model)


def page(
    rows: QuerySet[Row],
    *,
    limit: int,
    token: str | None,
    bound_to: Sequence[Any],
    searched_by: str = "",
) -> tuple[list[Row], dict[str, str]]:
    """Read one page in one query.

    Args:
        rows: all rows, in any order.
        limit: the greatest number of rows on a page.
        token: the `nextToken` of the page before; None or empty for the first page.
        bound_to: the user, the route and the filters. A token is valid for these only.
        searched_by: the query parameter that filters without an index, if there is one.

    Returns:
        The rows, and `{"nextToken": ...}` if more rows follow.

    Raises:
        InvalidParameterError: the token is invalid or belongs to another list, or the search by
            `searched_by` would read more rows than the database allows.
    """
    salt = f"moca.api.pagination {json.dumps(bound_to)}"
    if token:
        rows = rows.filter(pk__lt=_read_token(token, salt))
    try:
        found = list(rows.order_by("-pk")[: limit + 1])
    except NotSupportedError as error:
        if not searched_by:
            raise
        message = "There are too many rows to look through for this: ask without it."
        raise InvalidParameterError(searched_by, message) from error
    if len(found) <= limit:
        return found, {}
    del found[limit:]
    return found, {"nextToken": signing.Signer(salt=salt).sign_object(found[-1].pk)}


def _read_token(token: str, salt: str) -> str:
    try:
        return str(signing.Signer(salt=salt).unsign_object(token))
    except signing.BadSignature as error:
        message = "This is no token of this list: start again without one."
        raise InvalidParameterError("nextToken", message) from error
