"""Times relative to now, in English and Japanese."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from moca.display import relative

NOW = datetime(2027, 2, 1, 9, tzinfo=UTC)


def words(**span: float) -> str:
    return relative(NOW + timedelta(**span), NOW).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("hours", "english", "japanese"),
    [
        (1, "in 1 hour", "1時間"),
        (1.99, "in 119 minutes", "119分"),
        (2, "in 2 hours", "2時間"),
        (24, "in 1 day", "1日"),
        (24.5, "in 1 day", "1日"),
        (25, "in 25 hours", "25時間"),
        (47.9, "in 47 hours", "47時間"),
        (48, "in 2 days", "2日"),
        (24 * 7, "in 1 week", "1週間"),
        (24 * 13.9, "in 13 days", "13日"),
        (24 * 14, "in 2 weeks", "2週間"),
        (24 * 59, "in 8 weeks", "8週間"),
        (24 * 61, "in 2 months", "2ヶ月"),
        (24 * 366, "in 1 year", "1年"),
        (24 * 700, "in 22 months", "22ヶ月"),
        (24 * 731, "in 2 years", "2年"),
    ],
)
def test_far_moments_are_told_to_less_than_half(hours: float, english: str, japanese: str) -> None:
    assert words(hours=hours) == english
    with translation.override("ja"):
        assert japanese in words(hours=hours).replace(" ", "").replace("か月", "ヶ月")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.5, "now"), (59, "in 59 s"), (60, "in 1 minute"), (-7200, "2 hours ago")],
)
def test_near_and_past_moments(seconds: float, told: str) -> None:
    assert words(seconds=seconds) == told
