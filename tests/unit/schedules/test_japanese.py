"""Schedules in Japanese."""

from zoneinfo import ZoneInfo

import pytest

from triggers.schedules import parse
from triggers.schedules.japanese import describe


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("rate(5 minutes)", "5分ごと"),
        ("rate(1 hour)", "1時間ごと"),
        ("rate(2 days)", "2日ごと"),
        ("at(2027-01-31T09:00:00)", "2027年1月31日 09:00 に1回"),
        ("at(2027-01-31T09:00:30)", "2027年1月31日 09:00:30 に1回"),
        ("cron(0 9 * * ? *)", "毎日 09:00"),
        ("cron(0 9 ? * MON-FRI *)", "平日 09:00"),
        ("cron(0 9 ? * SAT,SUN *)", "土日 09:00"),
        ("cron(0 9,18 ? * SUN,MON,WED *)", "毎週月・水・日曜日 09:00・18:00"),
        ("cron(0/15 8-18 ? * MON-FRI *)", "平日 8〜18時台の15分ごと"),
        ("cron(0/5 * * * ? *)", "毎日 5分ごと"),
        ("cron(* * * * ? *)", "毎日 毎分"),
        ("cron(30 * * * ? *)", "毎日 毎時30分"),
        ("cron(5,20 8-10 * * ? *)", "毎日 8〜10時台の5・20分"),
        ("cron(0 9 1,15 * ? *)", "毎月1・15日 09:00"),
        ("cron(0 9 L * ? *)", "毎月末日 09:00"),
        ("cron(0 9 L-2 * ? *)", "毎月末日の2日前 09:00"),
        ("cron(0 9 15W * ? *)", "毎月15日に最も近い平日 09:00"),
        ("cron(0 9 LW * ? *)", "毎月最終平日 09:00"),
        ("cron(0 9 ? * TUE#2 *)", "毎月第2火曜日 09:00"),
        ("cron(0 9 ? * FRIL *)", "毎月最終金曜日 09:00"),
        ("cron(0 9 1 1 ? *)", "1月1日 09:00"),
        ("cron(0 9 1 1,4,7 ? *)", "1月・4月・7月の1日 09:00"),
        ("cron(0 9 1,15 1,6-8 ? *)", "1月・6〜8月の1・15日 09:00"),
        ("cron(0 9 */2 * ? *)", "毎月1日から31日まで2日ごと 09:00"),
        ("cron(1/2 9 * * ? *)", "毎日 9時台の1分から59分まで2分ごと"),
        ("cron(0 9 * * ? 2027/2)", "2027年から2年ごと 毎日 09:00"),
        ("cron(0 9 * * ? 2027-2035/2)", "2027年から2035年まで2年ごと 毎日 09:00"),
        ("cron(0 9 * 6-8 ? *)", "6〜8月の毎日 09:00"),
        ("cron(0 9 ? 12 MON *)", "12月の毎週月曜日 09:00"),
        ("cron(0 9 * * ? 2027-2029)", "2027〜2029年 毎日 09:00"),
    ],
)
def test_expression(expression: str, words: str) -> None:
    assert describe(parse(expression)) == words


def test_zone() -> None:
    words = describe(parse("cron(0 9 * * ? *)"), ZoneInfo("Asia/Tokyo"))
    assert words == "毎日 09:00 (Asia/Tokyo)"
