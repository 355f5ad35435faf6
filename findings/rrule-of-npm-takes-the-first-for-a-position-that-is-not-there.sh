#!/bin/sh
# rrule 2.8.1 (npm): a negative BYSETPOS that is beyond the set.
#
# Valid input: FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-5, the fifth to last Friday of the month (RFC 5545,
# 3.3.10).
#
# One would have guessed: runs in the months that have five Fridays, as with BYSETPOS=5 and with
# BYDAY=-5FR. In 2027 these are five.
# Seen: twelve runs. In a month with four Fridays it takes the first of them. The same happens with
# the 23rd to last working day (BYSETPOS=-23), which becomes the first one of each month.
# What to do: write BYDAY=-5FR; else drop what BYSETPOS gives in months that are too short.
#
# Output:
#   BYDAY=FR;BYSETPOS=5    5 runs in 2027
#   BYDAY=-5FR             5 runs in 2027
#   BYDAY=FR;BYSETPOS=-5  12 runs in 2027
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund rrule@2.8.1 >/dev/null
cat >rule.cjs <<'JAVASCRIPT'
const { rrulestr } = require('rrule')

const counts = ['BYDAY=FR;BYSETPOS=5', 'BYDAY=-5FR', 'BYDAY=FR;BYSETPOS=-5'].map((days) => {
  const rule = rrulestr(`DTSTART:20270101T090000Z\nRRULE:FREQ=MONTHLY;${days}`)
  const runs = rule.between(new Date('2027-01-01'), new Date('2028-01-01'))
  console.log(days.padEnd(20), String(runs.length).padStart(3), 'runs in 2027')
  return runs.length
})
if (counts.join() !== '5,5,12') {
  console.log('the behaviour has changed')
  process.exit(1)
}
JAVASCRIPT
node rule.cjs
