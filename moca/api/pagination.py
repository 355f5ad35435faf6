"""Pages of rows, newest first, by a cursor that only its owner can use."""

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
    """One page, in one query.

    Args:
        rows: all of them, in any order.
        limit: how many a page has at the most.
        token: the nextToken of the page before; None or empty for the first page.
        bound_to: what a token is good for: the user, the route and the filters.
        searched_by: the parameter for which rows are looked through that no index tells apart.

    Returns:
        The rows, and `{"nextToken": ...}` where more follow.

    Raises:
        InvalidParameterError: the token was made for something else, or by somebody else; or a
            search has to look through more rows than the database lets it.
    """
    salt = f"moca.api.pagination {json.dumps(bound_to)}"
    if token:
        rows = rows.filter(pk__lt=_read(token, salt))
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


def _read(token: str, salt: str) -> str:
    try:
        return str(signing.Signer(salt=salt).unsign_object(token))
    except signing.BadSignature as error:
        message = "This is no token of this list: start again without one."
        raise InvalidParameterError("nextToken", message) from error
