import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client

from moca.authentication.models import AuditEntry, Operator, Role
from tests.integration.admin.conftest import overtaken

PASSWORD = "correct horse battery"


@pytest.mark.django_db
def test_home_leads_to_the_dashboard(client: Client) -> None:
    assert client.get("/")["Location"] == "/console/"


def test_the_address_of_the_admin_needs_no_slash(client: Client) -> None:
    assert client.get("/admin")["Location"] == "/admin/"


@pytest.mark.django_db
def test_the_login_page_has_our_title(client: Client) -> None:
    assert b"Moca Triggers" in client.get("/admin/login/").content


@pytest.mark.django_db
def test_an_operator_signs_in_by_password(client: Client) -> None:
    Operator.objects.create_operator("ann", password=PASSWORD)
    client.post("/admin/login/", {"username": "ann", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200


@pytest.mark.django_db
def test_pages_ask_for_sign_in(client: Client) -> None:
    assert client.get("/admin/triggers/trigger/")["Location"].startswith("/admin/login/")


def test_tables_of_django_that_nothing_needs_do_not_exist(db: None) -> None:
    tables = set(connection.introspection.table_names())
    assert not tables & {"django_admin_log", "django_content_type", "auth_group", "django_session"}


def test_forms_open_after_content_types_were_forgotten(editor: Client) -> None:
    ContentType.objects.clear_cache()
    assert editor.get("/admin/triggers/trigger/add/").status_code == 200


def test_the_overview_shows_the_latest_changes(editor: Client, make_trigger) -> None:
    AuditEntry.objects.create(
        actor="ed", action="created", object_type="triggers.trigger", object_id="1", object_name="A"
    )
    assert "created by ed" in editor.get("/admin/").content.decode()


def test_the_overview_keeps_changes_of_operators_from_others(viewer: Client) -> None:
    AuditEntry.objects.create(
        actor="ann", action="created", object_type="authentication.operator", object_id="1"
    )
    assert viewer.get("/admin/").context["latest_changes"] == []


@pytest.mark.django_db
def test_a_change_of_the_own_password_is_on_record_without_it(client: Client) -> None:
    client.force_login(Operator.objects.create_operator("ann", password=PASSWORD))
    new = {"new_password1": "another horse 9", "new_password2": "another horse 9"}
    client.post("/admin/password_change/", {"old_password": PASSWORD, **new})
    assert AuditEntry.objects.get().changes == {"password": ["(hidden)", "(hidden)"]}


@pytest.mark.django_db
@pytest.mark.sqlite
def test_a_change_of_the_own_password_that_another_overtook_says_so(client: Client) -> None:
    ann = Operator.objects.create_operator("ann", password=PASSWORD)
    client.force_login(ann)
    new = {"new_password1": "another horse 9", "new_password2": "another horse 9"}
    data = {"old_password": PASSWORD, **new}
    with overtaken("UPDATE", ann.pk):
        shown = client.post("/admin/password_change/", data, follow=True)
    assert "Nothing was saved: somebody else" in shown.content.decode()


@pytest.mark.parametrize("role", list(Role))
def test_sections_offered_follow_the_role(db: None, role: Role, client: Client) -> None:
    client.force_login(Operator.objects.create_operator("ann", role=role))
    assert (b'href="/admin/authentication/operator/"' in client.get("/admin/").content) == (
        role == Role.ADMIN
    )


def test_page_that_does_not_exist_leads_back(viewer: Client) -> None:
    assert "Back to the start" in viewer.get("/nowhere").content.decode()


@pytest.mark.parametrize("lookup", ["name__regex=^(a%2B)%2B$", "prompt__contains=x", "id__lt=5"])
def test_address_takes_only_what_the_filters_offer(viewer: Client, lookup: str) -> None:
    assert viewer.get(f"/admin/triggers/trigger/?{lookup}").status_code == 400


def test_signing_out_ends_the_session_wherever_it_was_kept(viewer: Client) -> None:
    kept = viewer.cookies.output(header="", sep=";")
    viewer.post("/admin/logout/")
    stolen = Client(headers={"host": "localhost", "cookie": kept})
    assert stolen.get("/admin/triggers/trigger/").status_code == 302


@pytest.mark.parametrize("path", ["/admin/r/1/1/", "/admin/r/999/x/"])
def test_the_page_of_foreign_objects_does_not_exist(editor: Client, path: str) -> None:
    assert editor.get(path).status_code == 404
