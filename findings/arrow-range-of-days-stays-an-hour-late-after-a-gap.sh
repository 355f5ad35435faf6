#!/bin/sh
# arrow 1.4.0 (PyPI), Arrow.range("day") and ("week") from a time that the clocks skip on one day.
#
# Valid input: each day from 12 March 2027, 02:30 in America/New_York. On 14 March there is no 02:30:
# the clocks go from 02:00 to 03:00.
#
# One would have guessed: 03:30 on the 14th, and 02:30 again from the 15th on, as with
# start.shift(days=n).
# Seen: 03:30 on the 14th and on all days after it. Each step is taken from the one before, which has
# lost the time that was asked for.
# What to do: make each day by start.shift(days=n), from the start.
#
# Output:
#   range  03-12 02:30, 03-13 02:30, 03-14 03:30, 03-15 03:30, 03-16 03:30
#   shift  03-12 02:30, 03-13 02:30, 03-14 03:30, 03-15 02:30, 03-16 02:30
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install arrow==1.4.0 tzdata==2026.6
"$folder/venv/bin/python" - <<'PYTHON'
import arrow

start = arrow.get(2027, 3, 12, 2, 30, tzinfo="America/New_York")
ranged = list(arrow.Arrow.range("day", start, limit=5))
shifted = [start.shift(days=number) for number in range(5)]


def told(times):
    return ", ".join(each.format("MM-DD HH:mm") for each in times)


print("range ", told(ranged))
print("shift ", told(shifted))
assert [each.hour for each in ranged] == [2, 2, 3, 3, 3], "the behaviour has changed"
assert [each.hour for each in shifted] == [2, 2, 3, 2, 2], "the behaviour has changed"
PYTHON
