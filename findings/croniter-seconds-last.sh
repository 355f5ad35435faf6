#!/bin/sh
# croniter 7.0.0: where are the seconds of a cron expression of six fields?
#
# First guess: in front, as in Quartz, Spring and node-cron, or that the sixth field is a year, as
# in EventBridge. Behaviour: the sixth field is the seconds, behind the weekday. "0 0 9 * * *" is no
# 09:00 every day: it fires in each second of 00:00 on the 9th. Seconds in front need
# second_at_beginning=True. The seventh field is a year.
#
# Output:
#   default             2027-01-09 00:00:00, 2027-01-09 00:00:01
#   second_at_beginning 2027-01-01 09:00:00, 2027-01-02 09:00:00
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet croniter==7.0.0
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime

from croniter import croniter

START = datetime(2027, 1, 1)


def first_two(**options):
    walk = croniter("0 0 9 * * *", START, **options)
    return ", ".join(str(walk.get_next(datetime)) for _ in range(2))


default, front = first_two(), first_two(second_at_beginning=True)
print("default            ", default)
print("second_at_beginning", front)
assert default == "2027-01-09 00:00:00, 2027-01-09 00:00:01", default
assert front == "2027-01-01 09:00:00, 2027-01-02 09:00:00", front
PYTHON
