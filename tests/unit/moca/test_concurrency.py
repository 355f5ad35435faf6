"""Optimistic concurrency: conflicting saves fail and write nothing."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import update_last_login
from django.db import connection
from django.test.utils import CaptureQueriesContext

from moca.authentication.models import Operator
from moca.concurrency import StaleVersionError
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]


def test_save_counts_the_version(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    trigger.name = "Other"
    trigger.save()
    assert Trigger.objects.get(pk=trigger.pk).version == 2


def test_save_of_what_another_has_saved_fails(make_trigger: MakeTrigger) -> None:
    mine = make_trigger()
    theirs = Trigger.objects.get(pk=mine.pk)
    theirs.name, mine.name = "Theirs", "Mine"
    theirs.save()
    with pytest.raises(StaleVersionError):
        mine.save()


def test_failed_save_writes_nothing(make_trigger: MakeTrigger) -> None:
    mine = make_trigger()
    theirs = Trigger.objects.get(pk=mine.pk)
    theirs.name, mine.name = "Theirs", "Mine"
    theirs.save()
    with pytest.raises(StaleVersionError):
        mine.save()
    assert Trigger.objects.get(pk=mine.pk).name == "Theirs"


def test_failed_save_leaves_the_version_as_it_was(make_trigger: MakeTrigger) -> None:
    mine = make_trigger()
    Trigger.objects.filter(pk=mine.pk).update(version=7)
    mine.name = "Mine"
    with pytest.raises(StaleVersionError):
        mine.save()
    assert mine.version == 1


def test_save_of_a_deleted_row_does_not_revive_it(make_trigger: MakeTrigger) -> None:
    mine = make_trigger()
    Trigger.objects.get(pk=mine.pk).delete()
    mine.name = "Ghost"
    with pytest.raises(StaleVersionError):
        mine.save()


def test_save_does_not_undo_what_the_runner_noted(make_trigger: MakeTrigger) -> None:
    mine = make_trigger()
    Trigger.objects.filter(pk=mine.pk).update(consecutive_failures=3)
    mine.name = "Mine"
    mine.save()
    assert Trigger.objects.get(pk=mine.pk).consecutive_failures == 3


def test_save_without_a_change_writes_nothing(make_trigger: MakeTrigger) -> None:
    trigger = Trigger.objects.get(pk=make_trigger().pk)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        trigger.save()
    assert len(queries) == 0


def test_change_within_a_map_is_noticed(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    trigger.schedule_config["timezone"] = "Asia/Tokyo"
    assert trigger.changed_fields() == {"schedule_config"}


def test_changes_name_before_and_after(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(name="Old")
    trigger.name = "New"
    assert trigger.changes() == {"name": ["Old", "New"]}


def test_failing_receiver_undoes_the_save(
    make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = make_trigger()
    monkeypatch.setattr("triggers.schedulers.local.LocalScheduler.update", lambda *_: 1 / 0)
    trigger.enabled = False
    with pytest.raises(ZeroDivisionError):
        trigger.save()
    assert Trigger.objects.get(pk=trigger.pk).enabled


def test_change_from_one_to_true_within_a_map_is_noticed(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(event_config={"eventPattern": {"detail": {"n": [1]}}})
    trigger.event_config = {"eventPattern": {"detail": {"n": [True]}}}
    assert trigger.changed_fields() == {"event_config"}


@pytest.mark.django_db
def test_two_sign_ins_of_one_operator_do_not_conflict() -> None:
    first = Operator.objects.create_operator("olga", password="correct horse")
    second = Operator.objects.get(pk=first.pk)
    update_last_login(None, first)
    update_last_login(None, second)
    assert Operator.objects.get(pk=first.pk).last_login == second.last_login
