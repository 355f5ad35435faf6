"""What the user of a token may do now, by the rows of tokens and operators.

A process remembers what it read for STATE_SECONDS, so that not every request reads it. Changes that
another process makes are noticed this much later.
"""

import hashlib
from typing import Any

from django.core.cache import cache
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from moca.authentication.models import APIToken, Operator, Role
from moca.authentication.tokens import TokenError, TokenUser

STATE_SECONDS = 15
# States beside the names of roles. NOBODY: the user is no operator.
REVOKED, INACTIVE, NOBODY, KNOWN, OF_OPERATOR = (
    "revoked",
    "inactive",
    "nobody",
    "known",
    "of an operator",
)


def role_of(user: TokenUser) -> Role:
    """The role of a token's user: an operator's own, or that of an editor for anybody else.

    Raises:
        TokenError: the token was revoked, or its operator is inactive or deleted.
    """
    token = _token_state(user) if user.token_id else KNOWN
    if token == REVOKED:
        raise TokenError("The token was revoked: ask for another one.")
    operator = _operator_state(user.user_id)
    if operator == INACTIVE or (operator == NOBODY and token == OF_OPERATOR):
        raise TokenError("The operator whose token this is may not sign in any more.")
    return Role.EDITOR if operator == NOBODY else Role(operator)


def _token_state(user: TokenUser) -> str:
    key = _key("token", user.token_id)
    state: str | None = cache.get(key)
    if state is None:
        row = APIToken.objects.filter(pk=user.token_id).first()
        if row is None or row.user_id != user.user_id:
            state = REVOKED
        else:
            state = OF_OPERATOR if row.is_of_operator else KNOWN
        cache.set(key, state, STATE_SECONDS)
    return state


def _operator_state(subject: str) -> str:
    key = _key("operator", subject)
    state: str | None = cache.get(key)
    if state is None:
        operator = Operator.objects.filter(subject=subject).first()
        if operator is None:
            state = NOBODY
        else:
            state = operator.role if operator.is_active else INACTIVE
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
