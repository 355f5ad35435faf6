#!/bin/sh
# cron 4.4.0 (npm), CronJob with a time zone: a daily job in the night in which clocks go back.
#
# Valid input: "30 2 * * *" in America/New_York. On 7 November 2027 the clocks go from 02:00 back to
# 01:00, so that 01:30 comes twice and 02:30 comes once.
#
# One would have guessed: one run on that day, at 02:30, since that time is not repeated.
# Seen: two runs. The first is at 01:30 (the second one of the night), an hour early, and the other at
# 02:30. It holds for each time within an hour after the repeated one. In America/Santiago, where
# clocks go back at midnight, "0 0 4 4 *" runs on 3 April at 23:00 too, on the day before.
# What to do: choose a time that is at least an hour after the repeated one, or the time zone UTC.
#
# The job runs for real; only the clock of the process is set and moved on minute by minute.
#
# Output:
#   2027-11-07 01:30 America/New_York
#   2027-11-07 02:30 America/New_York
#   2027-11-08 02:30 America/New_York
#   2027-04-03 23:00 America/Santiago
#   2027-04-04 00:00 America/Santiago
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund cron@4.4.0 >/dev/null
cat >job.mjs <<'JAVASCRIPT'
import { mock } from 'node:test'
import { CronJob } from 'cron'

function runs(expression, zone, start) {
  const clock = new Intl.DateTimeFormat('sv', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
  const found = []
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse(start) })
  const onTick = () => found.push(`${clock.format(new Date())} ${zone}`)
  const job = CronJob.from({ cronTime: expression, onTick, start: true, timeZone: zone })
  for (let minute = 0; minute < 48 * 60; minute++) mock.timers.tick(60_000)
  job.stop()
  mock.timers.reset()
  return found
}

const found = [
  ...runs('30 2 * * *', 'America/New_York', '2027-11-06T12:00:00Z'),
  ...runs('0 0 4 4 *', 'America/Santiago', '2027-04-03T12:00:00Z'),
]
console.log(found.join('\n'))
const expected = [
  '2027-11-07 01:30 America/New_York',
  '2027-11-07 02:30 America/New_York',
  '2027-11-08 02:30 America/New_York',
  '2027-04-03 23:00 America/Santiago',
  '2027-04-04 00:00 America/Santiago',
]
if (found.join() !== expected.join()) {
  console.log('the behaviour has changed')
  process.exit(1)
}
JAVASCRIPT
node --no-warnings job.mjs
