"""The admin site, and the base classes of the apps' model pages."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote as quote_pk
from django.contrib.admin.utils import unquote
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import PasswordChangeView
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from moca import audit
from moca.authentication import cognito, limits
from moca.authentication.cognito import BY_COGNITO, SignInError
from moca.authentication.models import AuditEntry, Operator
from moca.changelist import ActionForm, ChangeList
from moca.concurrency import ConflictError, reason_of
from moca.reconcile import ProjectionError, restoring
from moca.retry import retry

# The most entries that a history and the overview show.
HISTORY = 100
LATEST = 15

# Attempts to save a form that conflicts with other writes.
ATTEMPTS = 3


# Django's log has no table here, so the deletion of an operator must not query it.
LogEntry._meta.get_field("user").remote_field.on_delete = models.DO_NOTHING


def operator_of(request: HttpRequest) -> Operator:
    """The signed-in operator; PermissionDenied if there is none."""
    if not isinstance(request.user, Operator):
        raise PermissionDenied
    return request.user


def actor(request: HttpRequest) -> str:
    """The signed-in operator's name, for audit entries."""
    return operator_of(request).get_username()


class OwnPasswordForm(AdminPasswordChangeForm):
    """The form by which operators change their own password, with an audit entry.

    A wrong old password counts as a failed sign-in, so an open session is no way to guess it.
    """

    def __init__(self, user: Operator, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        try:
            attempt = limits.start_attempt(self.request, self.user.get_username())
        except limits.TooManyFailuresError as error:
            raise ValidationError(
                "Too many wrong passwords: wait five minutes, then try again.", code="too_many"
            ) from error
        password: str = super().clean_old_password()
        attempt.forgive()
        return password

    def save(self, commit: bool = True) -> Any:
        operator = super().save(commit=False)
        audit.save(operator, by=operator.get_username())
        return operator


class AdminSite(admin.AdminSite):
    """Django's admin site without the parts that need tables we do not make."""

    site_header = site_title = "Moca Triggers"
    index_title = "Overview"
    site_url = None
    enable_nav_sidebar = False
    # The order of the apps; others come last.
    app_order: ClassVar[Sequence[str]] = ("triggers", "executions", "events", "authentication")

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # It deletes all rows in one transaction, and queries related rows.
        self.disable_action("delete_selected")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        order = {label: place for place, label in enumerate(self.app_order)}
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: order.get(app["app_label"], len(order)))

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        changes = latest_changes(operator_of(request))
        return super().index(request, {"latest_changes": changes, **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        by_cognito = {
            "signs_in_by_cognito": cognito.is_configured(),
            "next_page": request.GET.get(REDIRECT_FIELD_NAME, ""),
        }
        return super().login(request, {**by_cognito, **(extra_context or {})})

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        came_by_cognito = request.session.get(BY_COGNITO)
        answer = super().logout(request, extra_context)
        if came_by_cognito and request.method == "POST":
            page = request.build_absolute_uri(reverse("admin:login"))
            with suppress(SignInError):
                return HttpResponseRedirect(cognito.sign_out_url(page))
        return answer

    def get_log_entries(self, request: HttpRequest) -> Any:
        return []

    def get_urls(self) -> list[Any]:
        # Django's redirect to an object's own page reads the content types, which have no table.
        urls = super().get_urls()
        return [url for url in urls if getattr(url, "name", "") != "view_on_site"]

    password_change_done = method_decorator(never_cache)(admin.AdminSite.password_change_done)

    @method_decorator(never_cache)
    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=partial(OwnPasswordForm, request=request),
            success_url=reverse("admin:password_change_done", current_app=self.name),
            template_name="registration/password_change_form.html",
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        try:
            return view(request)
        except ConflictError as error:
            messages.error(request, f"Nothing was saved: {reason_of(error)}")
            return HttpResponseRedirect(request.get_full_path())


def latest_changes(operator: Operator) -> list[dict[str, Any]]:
    """The latest audit entries about objects that the operator may see, each with their page."""
    changes = []
    for entry in AuditEntry.objects.order_by("-id")[: 2 * LATEST]:
        app, _, model = entry.object_type.partition(".")
        if operator.has_perm(f"{app}.view_{model}"):
            changes.append({"entry": entry, "url": _page_of(entry)})
    return changes[:LATEST]


def _page_of(entry: AuditEntry) -> str:
    if entry.action == AuditEntry.Action.DELETED:
        return ""
    name = f"admin:{entry.object_type.replace('.', '_')}_change"
    return page_or_none(name, quote_pk(entry.object_id)) or ""


def page_or_none(name: str, *keys: str) -> str | None:
    """A page's address; None if the keys do not fit its pattern, such as other programs' keys."""
    try:
        return reverse(name, args=keys)
    except NoReverseMatch:
        return None


class ModelAdmin(admin.ModelAdmin):
    """Pages of a model without relations; every change writes an audit entry.

    They work on a key-value table: no joins, counts or offsets, and no table of Django's own.
    """

    action_form = ActionForm
    # The advice to operators if a search would read too many rows.
    narrower = "Filter the list."
    # Errors of deletions and actions that operators see as a message.
    refusals: tuple[type[Exception], ...] = (ConflictError,)
    # Errors if another write came between the check of a form and its save; it is tried again.
    overtaken: tuple[type[Exception], ...] = (ConflictError, IntegrityError)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the lookups that the list's filters offer; others could be expensive."""
        name, _, operator = lookup.partition("__")
        offered = {getattr(each, "parameter_name", each) for each in self.list_filter}
        return name in offered and operator in ("", "exact", "in")

    # Changes: `audit` records them instead of Django's log.

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        audit.save(obj, by=actor(request))

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        audit.delete(obj, by=actor(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names = [str(obj) for obj in objs]
        return names, {str(self.opts.verbose_name_plural): len(names)}, set(), []

    def _log_nothing(self, request: HttpRequest, *_: Any) -> None:
        return None

    log_addition = log_change = log_deletions = _log_nothing  # type: ignore[assignment]

    # Views

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        form.refusal = getattr(request, "refusal", "")
        return form

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ChangeList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        request.page = changelist.result_list  # type: ignore[attr-defined]
        return changelist

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(str(self.opts.verbose_name_plural))
        context = {"title": title, "narrower": self.narrower}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any], **_where: Any
    ) -> HttpResponse | None:
        """Run the chosen action on the ticked rows; Django 6.1 says on which page it was chosen."""
        form: Any = self.action_form(request.POST)
        form.fields["action"].choices = self.get_action_choices(request)
        if not form.is_valid():
            self.message_user(request, "No action selected.", messages.WARNING)
            return None
        actions: Any = self.get_actions(request)
        act, _, _ = actions[form.cleaned_data["action"]]
        response: HttpResponse | None = act(self, request, self._ticked(request))
        return response or HttpResponseRedirect(request.get_full_path())

    def _ticked(self, request: HttpRequest) -> list[Any]:
        """The ticked rows. Rows that are no longer on the page are read by key."""
        page = {row.pk: row for row in request.page}  # type: ignore[attr-defined]
        keys = dict.fromkeys(request.POST.getlist(helpers.ACTION_CHECKBOX_NAME))
        gone = [key for key in keys if key not in page][: self.list_per_page]
        others = self.get_queryset(request).filter(pk__in=gone) if gone else []
        return [page[key] for key in keys if key in page] + list(others)

    @method_decorator(sensitive_post_parameters())
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        view = super().changeform_view
        errors: tuple[type[Exception], ...] = (*self.overtaken, ProjectionError)

        def once() -> Any:
            try:
                with restoring():
                    return view(request, object_id, form_url, extra_context)
            except errors as error:
                self.take_back(request)
                if isinstance(error, ProjectionError):
                    # The next attempt shows the form with this reason.
                    request.refusal = str(error)  # type: ignore[attr-defined]
                raise

        try:
            # Each attempt validates the form again, against the rows as they are then.
            return retry(once, on=errors, tries=ATTEMPTS)
        except errors:
            return self._refused(request, "saved", "others are changing this at the same moment.")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        try:
            with restoring():
                return super().delete_view(request, object_id, extra_context)
        except self.refusals as error:
            self.take_back(request)
            return self._refused(request, "deleted", reason_of(error))

    def take_back(self, request: HttpRequest) -> None:
        """Undo what a failed view did outside of its transaction."""
        queued: Any = messages.get_messages(request)
        queued._queued_messages.clear()

    def _refused(self, request: HttpRequest, done: str, reason: str) -> HttpResponse:
        self.message_user(request, f"Nothing was {done}: {reason}", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        _remember_content_type(self.model)
        if context.get("subtitle"):
            context |= {"title": context["subtitle"], "subtitle": None}
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        key = unquote(object_id)
        obj = self.get_object(request, key)
        if obj is None:
            raise Http404
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {obj}",
            "module_name": capfirst(str(self.opts.verbose_name_plural)),
            "object": obj,
            "object_id": key,
            "opts": self.opts,
            "entries": [
                {"entry": entry, "changes": audit.changed_values(entry, self.model)}
                for entry in AuditEntry.objects.filter(object_id=key).order_by("-id")[:HISTORY]
            ],
            "limit": HISTORY,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/object_history.html", context)


class ReadOnlyModelAdmin(ModelAdmin):
    """Pages of rows that operators only look at."""

    def _is_never_allowed(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _is_never_allowed


def _remember_content_type(model: type[models.Model]) -> None:
    """Cache the model's content type, which Django's forms need and which has no table here."""
    names = {"app_label": model._meta.app_label, "model": model._meta.model_name or ""}
    ContentType.objects._add_to_cache(  # type: ignore[attr-defined]
        ContentType.objects.db, ContentType(**names)
    )


def link_to(model: type[models.Model], key: str) -> str:
    """The address of an object's admin page."""
    return reverse(
        f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[quote_pk(key)]
    )


def list_of(model: type[models.Model], **filters: str) -> str:
    """The address of a model's admin list with filters."""
    return reverse(
        f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters
    )
