"""Actions on all triggers that match the filters, and on more than there is time for."""

import json
from collections.abc import Iterator
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from django.test import Client

from console.selection import Selection
from executions.models import TriggerExecution
from tests.conftest import make_many
from tests.integration.console.conftest import ACT, TRIGGERS, Act, MakeTrigger, ticked
from triggers.models import Trigger


def disabled() -> int:
    return sum(not each.enabled for each in Trigger.objects.all())


def asked_about(page: str) -> list[str]:
    """The triggers that a page would act on."""
    value = page.partition('name="ids" value="')[2].partition('"')[0]
    found: list[str] = json.loads(value.replace("&quot;", '"'))
    return found


class TestAllThatMatch:
    def test_is_offered_if_there_are_more_pages(self, editor: Client) -> None:
        make_many(41)
        assert "All 41 that match" in editor.get(TRIGGERS).content.decode()

    def test_is_not_offered_on_a_single_page(self, editor: Client) -> None:
        make_many(40)
        assert 'name="all"' not in editor.get(TRIGGERS).content.decode()

    def test_is_not_offered_to_a_viewer(self, viewer: Client) -> None:
        make_many(41)
        assert 'name="all"' not in viewer.get(TRIGGERS).content.decode()

    def test_limit_is_told(self, editor: Client) -> None:
        make_many(41)
        page = editor.get(TRIGGERS, {"q": "T"}).content.decode()
        assert "All that match, the newest 1,000 at most" in page

    @pytest.mark.parametrize("action", ["enable", "disable", "synchronize", "run", "delete"])
    def test_asks_first(self, act: Act, make_trigger: MakeTrigger, action: str) -> None:
        made = [make_trigger(name=f"T{number}") for number in range(2)]
        page = act(action, all="yes", filters="")
        assert sorted(asked_about(page)) == sorted(map(ticked, made))
        assert (disabled(), Trigger.objects.count(), TriggerExecution.objects.count()) == (0, 2, 0)

    def test_is_done_to_those_that_were_shown(self, act: Act, make_trigger: MakeTrigger) -> None:
        shown = [make_trigger(name=f"T{number}") for number in range(2)]
        page = act("disable", all="yes", filters="")
        newer = make_trigger(name="newer")
        assert "2 disabled." in act("disable", ids=json.dumps(asked_about(page)), sure="yes")
        enabled = {each.pk for each in Trigger.objects.all() if each.enabled}
        assert enabled == {newer.pk} != {each.pk for each in shown}

    def test_filters_hold(self, act: Act, make_trigger: MakeTrigger) -> None:
        wanted = make_trigger(name="Wool & yarn", agent_id="shepherd")
        make_trigger(name="Wool & yarn")
        query = urlencode({"q": "wool & yarn", "agent": "shepherd"})
        assert asked_about(act("delete", all="yes", filters=query)) == [ticked(wanted)]

    def test_filters_of_the_page_come_back(self, editor: Client, make_trigger: MakeTrigger) -> None:
        make_many(41)
        page = editor.get(TRIGGERS, {"q": "T 00", "sort": "name"}).content.decode()
        assert 'name="all"' not in page
        page = editor.get(TRIGGERS, {"user": "ann", "sort": "name"}).content.decode()
        assert 'name="filters" value="user=ann"' in page

    def test_more_than_one_action_takes(self, act: Act) -> None:
        make_many(5)
        with patch("console.selection.MOST", 3), patch("console.confirmation.MOST", 3):
            page = act("delete", all="yes", filters="")
        assert "More than 3 triggers match" in page
        assert len(asked_about(page)) == 3

    def test_too_many_to_look_through(self, act: Act, make_trigger: MakeTrigger) -> None:
        make_trigger(name="Wool")
        found = Selection(is_all=True, too_many=True)
        with patch("console.selection.matching", return_value=found):
            page = act("delete", all="yes", filters="q=wool")
        assert "There are too many triggers to look through for this" in page

    def test_nothing_matches(self, act: Act, make_trigger: MakeTrigger) -> None:
        make_trigger()
        assert "No trigger matches." in act("delete", all="yes", filters="q=xyz")

    def test_viewer_may_not(self, viewer: Client, make_trigger: MakeTrigger) -> None:
        make_trigger()
        data = {"action": "delete", "all": "yes", "filters": "", "sure": "yes"}
        assert (viewer.post(ACT, data).status_code, Trigger.objects.count()) == (403, 1)

    @pytest.mark.parametrize(
        "nonsense", ["", "x", "{}", "[1]", '["x"]', '["\\u0000:x"]', "[" * 5000]
    )
    def test_nonsense(self, act: Act, nonsense: str) -> None:
        assert "Somebody has deleted it." in act("delete", ids=nonsense, sure="yes")

    def test_a_thousand_of_many_users(self, act: Act) -> None:
        for number in range(300):
            make_many(1, user_id=f"user-{number}")
        page = act("disable", all="yes", filters="")
        # On a busy machine it may take longer than an action may.
        with patch("console.trigger_list.ACT_SECONDS", 300):
            shown = act("disable", ids=json.dumps(asked_about(page)), sure="yes")
        assert "300 disabled." in shown


class TestTime:
    @pytest.fixture(autouse=True)
    def _short(self) -> Iterator[None]:
        with patch("console.trigger_list.ACT_SECONDS", 0):
            yield

    def test_goes_on_with_the_rest(self, act: Act, make_trigger: MakeTrigger) -> None:
        made = [make_trigger(name=f"T{number}") for number in range(3)]
        page = act("disable", *made)
        assert "1 disabled." in page
        assert "There was no time for 2 triggers." in page
        assert len(asked_about(page)) == 2

    def test_comes_to_an_end(self, act: Act, make_trigger: MakeTrigger) -> None:
        for number in range(3):
            make_trigger(name=f"T{number}")
        page = act("disable", all="yes", filters="")
        for _round in range(3):
            page = act("disable", ids=json.dumps(asked_about(page)), sure="yes")
        assert (disabled(), 'name="ids"' in page) == (3, False)
