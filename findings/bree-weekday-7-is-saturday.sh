#!/bin/sh
# bree 9.2.9 with @breejs/later 4.2.0 (npm): the weekday 7 of a crontab expression.
#
# Valid input: a job with cron "0 9 * * 7". Bree checks the expression when it starts.
#
# One would have guessed: Sunday, as in crontab(5), where 0 and 7 both are Sunday, or that the check
# refuses the 7.
# Seen: the check accepts it, and it runs on Saturdays. "5-7" is Friday and Saturday. 0 is Sunday.
# What to do: write 0.
#
# Output:
#   0 9 * * 7    Sat, 02 Jan 2027 | Sat, 09 Jan 2027
#   0 9 * * 5-7  Fri, 01 Jan 2027 | Sat, 02 Jan 2027
#   0 9 * * 0    Sun, 03 Jan 2027 | Sun, 10 Jan 2027
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund bree@9.2.9 @breejs/later@4.2.0 >/dev/null
echo >job.js
cat >weekdays.cjs <<'JAVASCRIPT'
const path = require('node:path')
const Bree = require('bree')
const later = require('@breejs/later')

async function days(cron) {
  const jobs = [{ name: 'job', path: path.resolve('job.js'), cron }]
  const bree = new Bree({ root: false, logger: false, jobs })
  await bree.init()
  later.date.UTC()
  const runs = later.schedule(bree.config.jobs[0].interval).next(2, new Date('2027-01-01T00:00:00Z'))
  const found = runs.map((run) => run.toUTCString().slice(0, 16)).join(' | ')
  console.log(cron.padEnd(12), found)
  return found.replace(/[^A-Z]*([A-Z][a-z]{2}),[^|]*/g, '$1 ').trim()
}

async function main() {
  const found = [await days('0 9 * * 7'), await days('0 9 * * 5-7'), await days('0 9 * * 0')]
  if (found.join() !== 'Sat Sat,Fri Sat,Sun Sun') {
    console.log('the behaviour has changed', found)
    process.exit(1)
  }
}

main()
JAVASCRIPT
node weekdays.cjs
