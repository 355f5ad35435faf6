"""The current role of a token's user, from the rows of tokens and operators, for the API.

Each process caches these rows' state for STATE_SECONDS, so that not every request reads them. It
notices changes by other processes with this delay.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from moca.authentication.models import APIToken, Operator, Role
from moca.authentication.tokens import TokenError, TokenUser

STATE_SECONDS = 15
# States of tokens, and states of operators beside the names of roles. NOBODY: no operator.
REVOKED, KNOWN, OF_OPERATOR = "revoked", "known", "of an operator"
INACTIVE, NOBODY = "inactive", "nobody"


def role_of_token(user: TokenUser) -> Role:
    """The role of a token's user: an operator's own role; editor for any other user.

    Raises:
        TokenError: the token was revoked, or its operator is inactive or deleted.
    """
    token = KNOWN
    if user.token_id:
        token = _cached("token", user.token_id, lambda: _token_state(user))
    if token == REVOKED:
        raise TokenError("The token was revoked: ask for another one.")
    return role_of_user(user.user_id, is_of_operator=token == OF_OPERATOR)


def role_of_user(user_id: str, *, is_of_operator: bool) -> Role:
    """The present role of a user: an operator's own role; editor for any other user.

    Args:
        user_id: the user.
        is_of_operator: whether the user was an operator when the token or the key was issued.

    Raises:
        TokenError: the operator is inactive or deleted.
    """
    operator = _cached("operator", user_id, lambda: _operator_state(user_id))
    if operator == INACTIVE or (operator == NOBODY and is_of_operator):
        raise TokenError("The operator whose token this is may not sign in any more.")
    return Role.EDITOR if operator == NOBODY else Role(operator)


def is_operator(user_id: str) -> bool:
    """Whether a user id is that of an active operator, and not only of a user of the API."""
    state = _cached("operator", user_id, lambda: _operator_state(user_id))
    return state not in (INACTIVE, NOBODY)


def _token_state(user: TokenUser) -> str:
    row = APIToken.objects.filter(pk=user.token_id).first()
    if row is None or row.user_id != user.user_id:
        return REVOKED
    return OF_OPERATOR if row.is_of_operator else KNOWN


def _operator_state(subject: str) -> str:
    operator = Operator.objects.filter(subject=subject).first()
    if operator is None:
        return NOBODY
    return operator.role if operator.is_active else INACTIVE


def _cached(kind: str, name: str, read: Callable[[], str]) -> str:
    key = _key(kind, name)
    state: str | None = cache.get(key)
    if state is None:
        state = read()
        cache.set(key, state, STATE_SECONDS)
    return state


def _key(kind: str, name: str) -> str:
    return f"moca.access.{kind}.{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"


@receiver([post_save, post_delete], sender=Operator)
def forget_operator(instance: Operator, **_: Any) -> None:
    cache.delete(_key("operator", instance.subject))


@receiver([post_save, post_delete], sender=APIToken)
def forget_token(instance: APIToken, **_: Any) -> None:
    cache.delete(_key("token", instance.pk))
