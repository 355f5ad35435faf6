"""Makes, changes and revokes API keys: the one write path of the API, the pages and commands."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from moca import audit
from moca.authentication.access import role_of_user
from moca.authentication.api_keys.access import PREFIX
from moca.authentication.api_keys.model import APIKey, Scope
from moca.authentication.api_keys.secret import new_secret
from moca.authentication.models import Operator, Role
from moca.authentication.tokens import TokenError
from moca.concurrency import rewrite

# The end of a key whose maker names none, and how long the row of an ended key stays.
DEFAULT_DAYS, MOST_DAYS = 90, 3660
KEPT_AFTER_END = timedelta(days=30)
MOST_KEYS = 100
# What the owner of a key can let it do.
SCOPES_OF_ROLE = {
    Role.VIEWER: {Scope.READ},
    Role.EDITOR: {Scope.READ, Scope.RUN, Scope.WRITE},
    Role.ADMIN: set(Scope),
}


def make(key: APIKey, *, by: str) -> str:
    """Store a new key; returns its text, which nobody can see again.

    Args:
        key: the owner and what the key may do; the rest is set here.
        by: who makes it, as in `audit.save()`.

    Raises:
        ValidationError: a field is wrong, its owner has not the rights, or has too many keys.
    """
    if APIKey.objects.filter(user_id=key.user_id).count() >= MOST_KEYS:
        raise ValidationError(
            _("There are %(most)s keys of this owner: revoke one first.") % {"most": MOST_KEYS}
        )
    made = new_secret(PREFIX)
    key.pk, key.secret_hash, key.created_by = made.id, made.hash, str(by)[:150]
    key.is_of_operator = Operator.objects.filter(subject=key.user_id).exists()
    check(key)
    audit.save(key, by=by)
    return made.text


def change(key: APIKey, apply: Callable[[APIKey], None], *, by: str) -> bool:
    """Read a key, change it and save it; False if there was nothing to change.

    Raises:
        ValidationError: as in `make()`.
        APIKey.DoesNotExist: it was revoked.
    """

    def write() -> bool:
        apply(key)
        check(key)
        return audit.save(key, by=by)

    return rewrite(key, write)


def revoke(key: APIKey, *, by: str) -> None:
    """Revoke a key. Other processes notice within `STATE_SECONDS`.

    Raises:
        APIKey.DoesNotExist: it was revoked before.
    """
    rewrite(key, lambda: audit.delete(key, by=by))


def check(key: APIKey) -> None:
    """Validate a key, and compute when its row goes.

    Raises:
        ValidationError: by field.
    """
    # The end of a key that has ended may stay as it is.
    if "expires_at" in key.changed_fields() and key.expires_at is not None:
        _check_end(key.expires_at)
    key.ttl = int((key.expires_at + KEPT_AFTER_END).timestamp()) if key.expires_at else None
    key.full_clean(validate_unique=False)
    try:
        role = role_of_user(key.user_id, is_of_operator=key.is_of_operator)
    except TokenError as error:
        message = _("The owner may not sign in any more: activate the account first.")
        raise ValidationError({"user_id": message}) from error
    if beyond := [each for each in key.scopes if each not in SCOPES_OF_ROLE[role]]:
        message = _("The role of the owner does not allow %(scopes)s.")
        raise ValidationError({"scopes": message % {"scopes": ", ".join(beyond)}})
    if Scope.ADMIN in key.scopes and key.trigger_ids:
        message = _("A key for some triggers cannot have the scope admin.")
        raise ValidationError({"scopes": message})
    if Scope.ADMIN in key.scopes and key.is_agent:
        raise ValidationError({"scopes": _("A key for an agent cannot have the scope admin.")})


def _check_end(end: datetime) -> None:
    ahead = end - timezone.now()
    if ahead <= timedelta():
        raise ValidationError({"expires_at": _("Give a time ahead.")})
    if ahead > timedelta(days=MOST_DAYS):
        message = _("Give a time within %(days)s days, or null for no end.") % {"days": MOST_DAYS}
        raise ValidationError({"expires_at": message})
