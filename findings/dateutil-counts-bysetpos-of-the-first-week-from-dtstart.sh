#!/bin/sh
# python-dateutil 2.9.0.post0 (PyPI), rrule: BYSETPOS in the week of DTSTART.
#
# Valid input: FREQ=WEEKLY;BYDAY=WE,TH,FR;BYSETPOS=2, the second of these days of each week, a
# Thursday. DTSTART is Thursday, 14 January 2027.
#
# One would have guessed: Thursdays, from DTSTART itself on. RFC 5545, 3.3.10, says that the set of a
# rule starts at the beginning of the interval, here of the week, and a monthly rule does so.
# Seen: the first run is on Friday, 15 January: of the week of DTSTART, only what is left of it
# counts. From the next week on it is Thursday.
# What to do: let DTSTART be the first day of its week (WKST), or name the weekday: BYDAY=TH.
#
# Output:
#   weekly   Fri 2027-01-15, Thu 2027-01-21, Thu 2027-01-28
#   monthly  Thu 2027-02-04, Thu 2027-03-04, Fri 2027-04-02
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install python-dateutil==2.9.0.post0
"$folder/venv/bin/python" - <<'PYTHON'
from dateutil.rrule import rrulestr


def first_three(frequency):
    rule = f"FREQ={frequency};BYDAY=WE,TH,FR;BYSETPOS=2;COUNT=3"
    return [f"{run:%a %Y-%m-%d}" for run in rrulestr(f"DTSTART:20270114T090000\nRRULE:{rule}")]


weekly, monthly = first_three("WEEKLY"), first_three("MONTHLY")
print("weekly  ", ", ".join(weekly))
print("monthly ", ", ".join(monthly))
assert weekly == ["Fri 2027-01-15", "Thu 2027-01-21", "Thu 2027-01-28"], "the behaviour has changed"
assert monthly == ["Thu 2027-02-04", "Thu 2027-03-04", "Fri 2027-04-02"], "the behaviour has changed"
PYTHON
