from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client

from moca.authentication.models import AuditEntry, Operator, Role
from moca.concurrency import ConflictError
from tests.integration.admin.conftest import OPERATORS, errors_of

AUDIT = "/admin/authentication/auditentry/"
PASSWORD = "correct horse 9"


def add(client: Client, **fields: Any) -> Any:
    new = {"username": "ned", "role": "viewer", "is_active": "on", "subject": "ned-subject"}
    return client.post(f"{OPERATORS}add/", {**new, **fields})


def change(client: Client, operator: Operator, **fields: Any) -> Any:
    shown = {
        "opened_version": operator.version,
        "username": operator.username,
        "role": operator.role,
        "is_active": "on",
        "subject": operator.subject,
    }
    data = {name: value for name, value in {**shown, **fields}.items() if value is not None}
    return client.post(f"{OPERATORS}{operator.pk}/change/", data)


def me() -> Operator:
    return Operator.objects.get(role=Role.ADMIN)


@pytest.mark.parametrize("url", [OPERATORS, f"{OPERATORS}add/", AUDIT])
def test_pages_are_for_admins_only(editor: Client, url: str) -> None:
    assert editor.get(url).status_code == 403


def test_operators_are_listed(administrator: Client) -> None:
    assert "admin-operator" in administrator.get(OPERATORS).content.decode()


class TestAdding:
    def test_with_a_password_lets_them_sign_in(self, administrator: Client) -> None:
        add(administrator, password1=PASSWORD, password2=PASSWORD)
        assert Operator.objects.get(username="ned").check_password(PASSWORD)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.sqlite
    def test_under_a_name_taken_at_the_same_moment_says_so(
        self, administrator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def taken() -> None:
            monkeypatch.undo()
            connection.rollback()
            Operator.objects.bulk_create([Operator(username="ned")])
            raise IntegrityError("TransactionCanceledException")

        monkeypatch.setattr(connection, "commit", taken)
        assert "username" in errors_of(add(administrator))

    def test_without_one_leaves_cognito(self, administrator: Client) -> None:
        add(administrator)
        assert not Operator.objects.get(username="ned").has_usable_password()

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"password1": PASSWORD, "password2": "another"}, "password2"),
            ({"password1": PASSWORD}, "password2"),
            ({"password2": PASSWORD}, "password1"),
            ({"password1": "short", "password2": "short"}, "password1"),
            ({"username": "admin-operator"}, "username"),
            ({"role": "king"}, "role"),
        ],
    )
    def test_errors_stand_at_their_field(
        self, administrator: Client, fields: Any, field: str
    ) -> None:
        assert field in errors_of(add(administrator, **fields))


class TestChanging:
    def test_keeps_the_password_where_none_is_given(self, administrator: Client) -> None:
        ned = Operator.objects.create_operator("ned", password=PASSWORD)
        change(administrator, ned, role="editor")
        ned.refresh_from_db()
        assert (ned.role, ned.check_password(PASSWORD)) == ("editor", True)

    def test_sets_a_password_and_records_no_trace_of_it(self, administrator: Client) -> None:
        ned = Operator.objects.create_operator("ned")
        change(administrator, ned, password1=PASSWORD, password2=PASSWORD)
        assert AuditEntry.objects.get().changes == {"password": ["(hidden)", "(hidden)"]}

    def test_of_the_own_password_keeps_the_session(self, administrator: Client) -> None:
        change(administrator, me(), password1=PASSWORD, password2=PASSWORD)
        assert administrator.get(OPERATORS).status_code == 200

    def test_never_shows_the_hash(self, administrator: Client) -> None:
        ned = Operator.objects.create_operator("ned", password=PASSWORD)
        page = administrator.get(f"{OPERATORS}{ned.pk}/change/").content.decode()
        assert ("pbkdf2" in page, ned.password in page) == (False, False)

    def test_by_two_at_once_refuses_the_second(self, administrator: Client) -> None:
        ned = Operator.objects.create_operator("ned")
        stale = Operator.objects.get(pk=ned.pk)
        ned.email = "ned@example.com"
        ned.save()
        assert "Somebody else changed" in errors_of(change(administrator, stale))["__all__"][0]

    @pytest.mark.django_db(transaction=True)
    def test_of_the_own_password_that_fails_at_its_end_keeps_the_session(
        self, administrator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse() -> None:
            raise ConflictError("TransactionCanceledException")

        with monkeypatch.context() as patched:
            patched.setattr(connection, "commit", refuse)
            change(administrator, me(), password1=PASSWORD, password2=PASSWORD)
        assert administrator.get(OPERATORS).status_code == 200

    @pytest.mark.parametrize("fields", [{"role": "editor"}, {"is_active": None}])
    def test_leaves_one_admin(self, administrator: Client, fields: Any) -> None:
        assert "last active admin" in errors_of(change(administrator, me(), **fields))["__all__"][0]

    def test_lets_one_of_two_admins_step_back(self, administrator: Client) -> None:
        second = Operator.objects.create_operator("second", role=Role.ADMIN)
        change(administrator, second, role="viewer")
        second.refresh_from_db()
        assert second.role == "viewer"


class TestDeletion:
    def delete(self, client: Client, operator: Operator) -> int:
        return client.post(f"{OPERATORS}{operator.pk}/delete/", {"post": "yes"}).status_code

    def test_of_another_is_on_record(self, administrator: Client) -> None:
        self.delete(administrator, Operator.objects.create_operator("ned"))
        assert AuditEntry.objects.get().action == "deleted"

    def test_of_oneself_is_refused(self, administrator: Client) -> None:
        mine = me()
        Operator.objects.create_operator("second", role=Role.ADMIN)
        assert self.delete(administrator, mine) == 403

    def test_in_bulk_is_not_offered(self, administrator: Client) -> None:
        data = {"action": "delete_selected", "post": "yes", "_selected_action": me().pk}
        administrator.post(OPERATORS, data)
        assert Operator.objects.count() == 1


class TestAuditEntries:
    def test_are_listed_and_escaped(self, administrator: Client) -> None:
        hostile = "<script>alert(1)</script>"
        AuditEntry.objects.create(
            actor=hostile, action="updated", object_type=hostile, object_id="1", object_name=hostile
        )
        page = administrator.get(AUDIT).content.decode()
        assert ("&lt;script&gt;alert(1)" in page, hostile in page) == (True, False)

    @pytest.mark.parametrize(
        ("search", "names"),
        [("ann", ["a"]), ("0198c0de-0000-7000-8000-000000000002", ["b"]), ("zzz", [])],
    )
    def test_are_found_by_who_and_by_whole_id(
        self, administrator: Client, search: str, names: list[str]
    ) -> None:
        for number, (actor, name) in enumerate([("ann", "a"), ("bob", "b")], 1):
            AuditEntry.objects.create(
                actor=actor,
                action="updated",
                object_type="triggers.trigger",
                object_id=f"0198c0de-0000-7000-8000-{number:012}",
                object_name=name,
            )
        found = administrator.get(AUDIT, {"q": search}).context["cl"].result_list
        assert [entry.object_name for entry in found] == names

    def test_cannot_be_added(self, administrator: Client) -> None:
        assert administrator.get(f"{AUDIT}add/").status_code == 403


@pytest.mark.django_db
def test_guessing_a_password_is_stopped(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    Operator.objects.create_operator("olga", password="correct horse")
    for _ in range(10):
        authenticate(None, username="olga", password="wrong")
    assert authenticate(None, username="olga", password="correct horse") is None
    cache.clear()


def test_command_refuses_a_password_that_the_page_refuses(db: None) -> None:
    with pytest.raises(CommandError, match="too short"):
        call_command("create_operator", "ed", "--password=abc", stdout=StringIO())
