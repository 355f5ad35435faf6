"""Models of operators, audit entries, API tokens and failed sign-ins."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from moca.authentication.api_keys.model import APIKey as APIKey
from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Index, Layout
from moca.ids import new_id
from moca.reasons import CodeField, ParamsField
from moca.validation import one_line


class Role(models.TextChoices):
    """An operator's permissions; each role includes those of the roles before it."""

    VIEWER = "viewer", "Viewer: sees triggers and executions"
    EDITOR = "editor", "Editor: changes and runs triggers"
    ADMIN = "admin", "Admin: manages operators too"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class OperatorManager(BaseUserManager["Operator"]):
    def create_operator(
        self, username: str, *, password: str | None = None, **fields: Any
    ) -> "Operator":
        """Create an operator.

        Args:
            username: the name to sign in with.
            password: the password in plain text, of which the hash is stored; None for an operator
                who cannot sign in by password.
            fields: role, email, subject.

        Raises:
            ValidationError: a field is invalid, or the name or the subject is taken.
        """
        operator = self.model(username=username, **fields)
        operator.set_password(password)
        operator.full_clean()
        operator.save(force_insert=True)
        return operator

    def user_id_of(self, name: str) -> str:
        """The subject of the operator with this username; the text itself if there is none."""
        operator = self.filter(username=name).first()
        return operator.subject if operator else name


class Operator(VersionedModel, AbstractBaseUser):
    """A person who signs in to the pages, or a service account, which cannot sign in.

    The role decides all permissions; there are no groups.

    `subject` is the user id of the operator's own triggers. For a sign-in by Cognito it is the
    token's `sub`.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    username = models.CharField(_("username"), max_length=150, unique=True, validators=[one_line])
    subject = models.CharField(max_length=128, unique=True, default=new_id, validators=[one_line])
    email = models.EmailField(blank=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    is_service = models.BooleanField(
        "service account",
        default=False,
        help_text="No person: it cannot sign in, owns triggers, and has API keys.",
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Clear this instead of deleting an operator."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Part of the session's hash: a new value ends all sessions of the operator.
    session_key = models.CharField(max_length=36, default=new_id, editable=False)

    objects: ClassVar[OperatorManager] = OperatorManager()

    dynamodb = Layout("OPERATOR", "{id}")

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ["-id"]

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save like `VersionedModel`; but `last_login` alone is written without a version check."""
        if update_fields is not None and set(update_fields) == {"last_login"}:
            type(self).objects.filter(pk=self.pk).update(last_login=self.last_login)
        else:
            super().save(update_fields=update_fields, **options)

    def end_sessions(self) -> None:
        """End all sessions. They are in signed cookies, which somebody could have copied."""
        type(self).objects.filter(pk=self.pk).update(session_key=new_id())

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        parts = f"{self.password} {self.session_key}"
        return salted_hmac("moca.authentication.session", parts, secret=secret).hexdigest()

    # Django's admin needs these of a user.

    @property
    def is_staff(self) -> bool:
        return self.is_active

    def has_role(self, role: Role) -> bool:
        """Whether the operator may do what `role` allows."""
        return self.is_active and Role(self.role).rank >= role.rank

    def has_perm(self, permission: str, obj: models.Model | None = None) -> bool:
        """Answer Django's permission names (`triggers.change_trigger`) from the role.

        Only admins write records of agents, which say where this installation's secrets are sent,
        and channels and rules of alerts, which say where its data goes.
        """
        app, _, name = permission.partition(".")
        if name.startswith("view_") and app != "authentication":
            return self.has_role(Role.VIEWER)
        is_of_agents = app == "executions" and name.endswith("_agent")
        # Prices and users' budgets, whose limits are not the editors' to lift.
        is_of_budgets = app == "triggers" and name.endswith(("_price", "_userbudget"))
        is_for_admins = app in ("authentication", "alerts") or is_of_agents or is_of_budgets
        return self.has_role(Role.ADMIN if is_for_admins else Role.EDITOR)

    def has_perms(self, permissions: list[str], obj: models.Model | None = None) -> bool:
        return all(self.has_perm(permission, obj) for permission in permissions)

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_role(Role.ADMIN if app_label == "authentication" else Role.VIEWER)


class AuditEntry(models.Model):
    """One change: who did what to which object and why, and the values before and after.

    `reason` is empty for changes by a person. If it is set, the actor is a part of the product or a
    command.
    """

    class Action(models.TextChoices):
        CREATED = "created", _("Created")
        UPDATED = "updated", _("Updated")
        DELETED = "deleted", _("Deleted")
        RUN = "run", _("Run")
        CANCELLED = "cancelled", _("Run cancelled")
        ANSWERED = "answered", _("Answered")
        # Actions of the product itself.
        REPAIRED = "repaired", _("Repaired")
        CLOSED = "closed", _("Run closed")
        HELD_BACK = "held back", _("Events held back")
        ALARM = "alarm", _("Alarm")

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150)
    # The name and the id of the API key that the actor used; empty without one.
    api_key = models.CharField(max_length=90, blank=True)
    action = models.CharField(max_length=10, choices=Action)
    object_type = models.CharField(max_length=50)
    # The id of an agent has up to 200 characters.
    object_id = models.CharField(max_length=200)
    object_name = models.CharField(max_length=200)
    changes = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    reason = models.TextField(blank=True)
    reason_code, reason_params = CodeField(), ParamsField()

    dynamodb = Layout("AUDIT#{object_id}", "{id}", indexes=[Index("GSI3", "AUDIT", "{id}")])

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["object_id", "id"])]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type} {self.object_name}"


class APIToken(models.Model):
    """A token that `issue_token` printed. The API refuses tokens without a row.

    The row has no part of the token itself: `id` is the token's `jti` claim.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    user_id = models.CharField("user", max_length=128)
    is_of_operator = models.BooleanField(
        "operator's", default=False, help_text="Such a token is refused once the operator is gone."
    )
    created_at = models.DateTimeField("issued", default=timezone.now, editable=False)
    expires_at = models.DateTimeField("expires")
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    dynamodb = Layout("TOKEN", "{id}")

    class Meta:
        ordering = ["-id"]
        verbose_name = "API token"
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return f"{self.id} of {self.user_id}"


class FailedSignIns(models.Model):
    """The number of wrong passwords for a name, from an address, or both.

    It is in the database, so that guesses at all processes add up.
    """

    id = models.CharField(primary_key=True, max_length=64, help_text="A digest of what is counted.")
    failures = models.PositiveIntegerField(default=0)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds from which they are forgiven.")

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("SIGNIN#{id}", "SIGNIN")

    class Meta:
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return f"{self.id}: {self.failures}"
