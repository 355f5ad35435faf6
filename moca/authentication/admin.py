"""The admin's pages of operators, API tokens and audit entries."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import SetPasswordMixin, UsernameField
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from moca import audit
from moca.admin import ModelAdmin, ReadOnlyModelAdmin, actor, operator_of
from moca.authentication import cognito
from moca.authentication.api_keys import services
from moca.authentication.models import APIKey, APIToken, AuditEntry, Operator, Role
from moca.changelist import whole_id
from moca.display import NOTHING, badge, excerpt, short_time_tag, time_tag
from moca.forms import VersionedForm

# Unregister Django's page of groups, which have no table here; the import above registers it.
assert auth_admin  # noqa: S101
admin.site.unregister(Group)


def is_last_admin(operator: Operator) -> bool:
    """Whether this is the only active admin who can sign in."""
    if operator.is_service or operator.loaded_value("role") != Role.ADMIN:
        return False
    admins = Operator.objects.filter(role=Role.ADMIN, is_active=True, is_service=False)
    return [admin.pk for admin in admins[:2]] == [operator.pk]


class OperatorForm(SetPasswordMixin, VersionedForm):
    password1, password2 = SetPasswordMixin.create_password_fields("New password", "Again")

    class Meta:
        model = Operator
        fields = ["username", "email", "role", "is_service", "is_active", "subject"]
        field_classes = {"username": UsernameField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if cognito.is_configured() and "role" in self.fields:
            self.fields[
                "role"
            ].help_text = "At each sign-in by Cognito the groups of the user pool decide it anew."
        for name in ("password1", "password2"):
            if name in self.fields:
                self.fields[name].required = False
                self.fields[name].help_text = ""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        given = self.cleaned_data
        if given.get("password1") and not given.get("password2"):
            self.add_error("password2", "Type the password again.")
        elif given.get("password2") and not given.get("password1"):
            self.add_error("password1", "Type the password twice.")
        self.validate_passwords()
        if given.get("is_service") and given.get("password1"):
            self.add_error("password1", "A service account has no password: leave it empty.")
        stays = given.get("role") == Role.ADMIN and given.get("is_active")
        stays = stays and not given.get("is_service")
        if not stays and not self.instance._state.adding and is_last_admin(self.instance):
            raise ValidationError(
                "This is the last active admin: make somebody else one first.", code="last_admin"
            )
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self.validate_password_for_user(self.instance, "password1")
        password = self.cleaned_data.get("password1")
        if password and not self.errors:
            self.instance.set_password(password)
        elif not self.instance.password:
            self.instance.set_unusable_password()


@admin.register(Operator)
class OperatorAdmin(ModelAdmin):
    form = OperatorForm
    list_display = ["username", "email", "role_name", "signs_in", "last_seen"]
    list_filter = ["role", "is_service", "is_active"]
    search_fields = ["username", "email", "subject__exact"]
    sortable_by = ()
    fieldsets = [
        (
            None,
            {"fields": ["opened_version", "username", "email", "role", "is_service", "is_active"]},
        ),
        (
            "Password",
            {
                "fields": ["password1", "password2"],
                "description": "Left empty, the password stays as it is; a new operator without "
                "one signs in by Cognito only. " + " ".join(password_validators_help_texts()),
            },
        ),
        (
            "Triggers",
            {
                "fields": ["subject"],
                "description": "The user id that this operator's own triggers belong to.",
            },
        ),
    ]

    @admin.display(description="role")
    def role_name(self, operator: Operator) -> str:
        return operator.role.capitalize()

    @admin.display(description="sign-in")
    def signs_in(self, operator: Operator) -> SafeString:
        if not operator.is_active:
            return badge("off", "Inactive")
        if operator.is_service:
            return badge("off", "Service account")
        return badge("good", "Password" if operator.has_usable_password() else "Cognito")

    @admin.display(description="last sign-in")
    def last_seen(self, operator: Operator) -> str:
        if operator.last_login is None:
            return "Never"
        return short_time_tag(operator.last_login, timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not super().has_delete_permission(request, obj):
            return False
        return obj is None or (obj.pk != operator_of(request).pk and not is_last_admin(obj))

    def save_model(self, request: HttpRequest, obj: Operator, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.pk == operator_of(request).pk:
            # A new password ends the operator's other sessions; keep this one.
            update_session_auth_hash(request, obj)

    def take_back(self, request: HttpRequest) -> None:
        super().take_back(request)
        update_session_auth_hash(request, operator_of(request))


@admin.register(APIToken)
class APITokenAdmin(ReadOnlyModelAdmin):
    """Tokens that `issue_token` printed. The action deletes the row, which revokes the token."""

    list_display = ["id", "user_id", "issued", "expires"]
    list_display_links = None
    search_fields = ["user_id__exact"]
    search_help_text = "The whole user id."
    sortable_by = ()
    actions = ["revoke"]

    @admin.display(description="issued")
    def issued(self, token: APIToken) -> str:
        return time_tag(token.created_at, timezone.now())

    @admin.display(description="expires")
    def expires(self, token: APIToken) -> str:
        return time_tag(token.expires_at, timezone.now())

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for token in queryset:
            audit.delete(token, by=actor(request))
        self.message_user(request, f"{len(queryset)} tokens were revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return operator_of(request).has_role(Role.ADMIN)


@admin.register(APIKey)
class APIKeyAdmin(ReadOnlyModelAdmin):
    """API keys of all users. The action revokes them."""

    list_display = ["id", "name", "user_id", "allows", "for_agent", "expires", "used"]
    list_display_links = None
    search_fields = ["user_id__exact"]
    search_help_text = "The whole user id of the owner."
    sortable_by = ()
    actions = ["revoke"]

    @admin.display(description="scopes")
    def allows(self, key: APIKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="agent", boolean=True)
    def for_agent(self, key: APIKey) -> bool:
        return key.is_agent

    @admin.display(description="end")
    def expires(self, key: APIKey) -> str:
        return time_tag(key.expires_at, timezone.now()) if key.expires_at else "Never"

    @admin.display(description="last used")
    def used(self, key: APIKey) -> str:
        return time_tag(key.last_used_at, timezone.now()) if key.last_used_at else "Never"

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for key in queryset:
            services.revoke(key, by=actor(request))
        self.message_user(request, f"{len(queryset)} API keys were revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return operator_of(request).has_role(Role.ADMIN)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyModelAdmin):
    list_display = ["time", "who", "action", "what", "changed", "why"]
    list_display_links = None
    list_filter = ["action"]
    search_fields = ["actor", "object_name"]
    search_help_text = "Who did it, or the name or the whole id of what was changed."
    narrower = "Too many changes to look through: search for those of one object by its id."
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        key = whole_id(search_term)
        if key:
            return queryset.filter(object_id=key), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="actor")
    def who(self, entry: AuditEntry) -> str:
        return f"{entry.actor} by API key {entry.api_key}" if entry.api_key else entry.actor

    @admin.display(description="when")
    def time(self, entry: AuditEntry) -> str:
        return time_tag(entry.at, timezone.now())

    @admin.display(description="what")
    def what(self, entry: AuditEntry) -> str:
        return f"{entry.object_type.rpartition('.')[2]} {entry.object_name}"

    @admin.display(description="fields")
    def changed(self, entry: AuditEntry) -> str:
        return ", ".join(name.replace("_", " ") for name in entry.changes) or NOTHING

    @admin.display(description="why")
    def why(self, entry: AuditEntry) -> str:
        return excerpt(entry.reason, 200) or NOTHING
