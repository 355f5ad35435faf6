#!/bin/sh
# aws-cron-parser 1.1.12 (npm): days that a month does not have, in cron expressions of EventBridge.
#
# Valid input: "0 9 31 * ? *", the 31st of the month, and "0 9 29 2 ? *", the 29th of February.
#
# One would have guessed: it skips the months without that day, as all crons do.
# Seen: it runs on the day that JavaScript's Date makes of "31 February": on 3 March, 1 May and 1 July.
# The 29th of February is 1 March in all years but leap years.
# What to do: compare the day of the month of each result with the expression, and go on if they
# differ.
#
# Output:
#   0 9 31 * ? *  2027-01-31 2027-03-03 2027-03-31 2027-05-01 2027-05-31 2027-07-01
#   0 9 29 2 ? *  2027-03-01 2028-02-29 2029-03-01 2030-03-01 2031-03-01 2032-02-29
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund aws-cron-parser@1.1.12 >/dev/null
cat >days.cjs <<'JAVASCRIPT'
const { next, parse } = require('aws-cron-parser')

function days(expression) {
  const cron = parse(expression)
  const found = []
  for (let run = new Date('2027-01-01T00:00:00Z'); found.length < 6; ) {
    run = next(cron, run)
    found.push(run.toISOString().slice(0, 10))
  }
  console.log(expression, '', ...found)
  return found.join(' ')
}

const last = days('0 9 31 * ? *')
const leap = days('0 9 29 2 ? *')
if (
  last !== '2027-01-31 2027-03-03 2027-03-31 2027-05-01 2027-05-31 2027-07-01' ||
  leap !== '2027-03-01 2028-02-29 2029-03-01 2030-03-01 2031-03-01 2032-02-29'
) {
  console.log('the behaviour has changed')
  process.exit(1)
}
JAVASCRIPT
node days.cjs
