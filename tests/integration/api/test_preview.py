"""POST /schedules/preview and GET /health."""

from typing import Any, NoReturn

import pytest
from django.db import OperationalError

from tests.integration.api.conftest import API
from triggers.models import Trigger
from triggers.schedulers.local import LocalScheduler


def preview(api: API, **body: Any) -> Any:
    return api.post("/schedules/preview", body)


class TestPreview:
    def test_expression_is_written_out(self, alice: API) -> None:
        assert preview(alice, expression="0 9 * * ?").json()["expression"] == "cron(0 9 * * ? *)"

    def test_description(self, alice: API) -> None:
        assert "09:00" in preview(alice, expression="cron(0 9 * * ? *)").json()["description"]

    def test_runs_in_both_times(self, alice: API) -> None:
        answer = preview(alice, expression="at(2099-01-01T09:00:00)", timezone="Asia/Tokyo").json()
        assert answer["nextRuns"] == [
            {"utc": "2099-01-01T00:00:00.000Z", "local": "2099-01-01T09:00:00+09:00"}
        ]

    def test_ten_runs_unless_told_otherwise(self, alice: API) -> None:
        assert len(preview(alice, expression="rate(1 hour)").json()["nextRuns"]) == 10

    def test_count(self, alice: API) -> None:
        assert len(preview(alice, expression="rate(1 hour)", count=50).json()["nextRuns"]) == 50

    def test_warnings(self, alice: API) -> None:
        assert preview(alice, expression="cron(0 9 31 * ? *)").json()["warnings"] != []

    def test_nulls_are_as_if_left_out(self, alice: API) -> None:
        answer = preview(alice, expression="rate(1 hour)", timezone=None, count=None)
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "expression"),
            ({"expression": None}, "expression"),
            ({"expression": ""}, "expression"),
            ({"expression": 5}, "expression"),
            ({"expression": "cron(60 * * * ? *)"}, "expression"),
            ({"expression": "rate(1 hour)", "timezone": "Mars"}, "timezone"),
            ({"expression": "rate(1 hour)", "timezone": ["UTC"]}, "timezone"),
            ({"expression": "rate(1 hour)", "count": 0}, "count"),
            ({"expression": "rate(1 hour)", "count": 51}, "count"),
            ({"expression": "rate(1 hour)", "count": "5"}, "count"),
            ({"expression": "rate(1 hour)", "count": True}, "count"),
        ],
    )
    def test_wrong(self, alice: API, body: dict[str, Any], field: str) -> None:
        response = preview(alice, **body)
        assert (response.status_code, [one["field"] for one in response.json()["details"]]) == (
            400,
            [field],
        )

    def test_suggestion(self, alice: API) -> None:
        response = preview(alice, expression="cron(0 9 * * *)")
        assert "suggestion" in response.json()["details"][0]

    def test_several_readings_are_told_in_words(self, alice: API) -> None:
        (told,) = preview(alice, expression="0 0 9 * * *").json()["details"]
        assert told["suggestions"] == [
            {"expression": "0 0 9 * ? *", "description": "At 00:00 on the 9th of the month"},
            {"expression": "0 9 * * ? *", "description": "At 09:00 every day"},
        ]

    def test_message_tells_several_readings_too(self, alice: API) -> None:
        (told,) = preview(alice, expression="0 9 1 * MON").json()["details"]
        assert told["message"].endswith(
            "Did you mean 0 9 1 * ? * (At 09:00 on the 1st of the month. It leaves out the "
            "day-of-week MON; make another trigger for that) or 0 9 ? * MON * (At 09:00 on "
            "Mondays. It leaves out the day-of-month 1; make another trigger for that)?"
        )

    def test_the_zone_of_a_reading_is_told(self, alice: API) -> None:
        body = {"expression": "TZ=Asia/Tokyo 0 9 * * *", "timezone": "UTC"}
        (told,) = preview(alice, **body).json()["details"]
        assert told["suggestions"] == [
            {
                "expression": "0 9 * * ? *",
                "description": "At 09:00 every day, Tokyo time",
                "timezone": "Asia/Tokyo",
                "notes": ["Set the timezone to Asia/Tokyo with it."],
            }
        ]

    def test_a_moment_is_converted_into_the_zone(self, alice: API) -> None:
        body = {"expression": "at(2099-01-01T09:00:00Z)", "timezone": "Asia/Tokyo"}
        (told,) = preview(alice, **body).json()["details"]
        assert told["suggestion"] == "at(2099-01-01T18:00:00)"

    def test_both_faults_at_once(self, alice: API) -> None:
        response = preview(alice, expression="x", timezone="Mars")
        assert len(response.json()["details"]) == 2

    def test_needs_sign_in(self, nobody: API) -> None:
        assert preview(nobody, expression="rate(1 hour)").status_code == 401

    def test_reads_nothing(self, alice: API, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            preview(alice, expression="rate(1 hour)")


class AwayScheduler(LocalScheduler):
    def check(self) -> NoReturn:
        raise ConnectionError("secret-host is away")


class TestHealth:
    @pytest.fixture
    def away(self, settings: Any) -> None:
        settings.SCHEDULER = f"{__name__}.AwayScheduler"

    def test_is_open(self, nobody: API) -> None:
        assert nobody.get("/health").json()["status"] == "ok"

    def test_bad_token_does_not_matter(self, nobody: API) -> None:
        assert nobody.get("/health", Authorization="Bearer x").status_code == 200

    def test_reads_nothing(self, nobody: API, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            nobody.get("/health")

    def test_deep(self, nobody: API) -> None:
        answer = nobody.get("/health?deep=1").json()
        assert answer["checks"] == {"database": "ok", "scheduler": "ok"}

    @pytest.mark.usefixtures("away")
    def test_scheduler_away(self, nobody: API) -> None:
        response = nobody.get("/health?deep=1")
        assert (response.status_code, response.json()["checks"]["scheduler"]) == (503, "error")

    @pytest.mark.usefixtures("away")
    def test_reason_is_not_told(self, nobody: API) -> None:
        assert b"secret-host" not in nobody.get("/health?deep=1").content

    def test_database_away(self, nobody: API, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*args: Any, **kwargs: Any) -> None:
            raise OperationalError("unable to open database file")

        monkeypatch.setattr(Trigger.objects, "filter", away)
        assert nobody.get("/health?deep=1").json()["checks"]["database"] == "error"
