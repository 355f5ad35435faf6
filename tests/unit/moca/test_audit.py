"""Audited writes: which changes have an entry, and what it hides."""

from collections.abc import Callable

import pytest

from moca import audit
from moca.authentication.models import AuditEntry, Operator
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]


def test_change_is_on_record(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(name="Old")
    trigger.name = "New"
    audit.save(trigger, by="alice")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.changes) == ("alice", {"name": ["Old", "New"]})


def test_delete_is_on_record(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    pk = trigger.pk
    audit.delete(trigger, by="alice")
    assert AuditEntry.objects.get(action="deleted").object_id == pk


def test_save_without_a_change_is_not(make_trigger: MakeTrigger) -> None:
    audit.save(make_trigger(), by="alice")
    assert not AuditEntry.objects.exists()


def test_failed_save_is_not(make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = make_trigger()
    trigger.name = "New"
    monkeypatch.setattr(Trigger, "save", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        audit.save(trigger, by="alice")
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_password_is_never_on_record() -> None:
    operator = Operator.objects.create_operator("olga", password="correct horse")
    operator.set_password("battery staple")
    audit.save(operator, by="admin")
    assert AuditEntry.objects.get().changes == {"password": ["(hidden)", "(hidden)"]}
