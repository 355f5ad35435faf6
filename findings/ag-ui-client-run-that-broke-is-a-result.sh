#!/bin/sh
# @ag-ui/client 1.0.0 (npm), HttpAgent.runAgent(): what it returns for a run that did not finish.
#
# Valid input: three event streams with the same half sentence. One ends in RUN_FINISHED, one in
# RUN_ERROR, and one just ends, as when the agent's process is killed behind a proxy.
#
# One would have guessed: the promise is rejected in the second and third case, as it is if the agent
# answers with 500, or sends an event in the wrong order.
# Seen: it is resolved with the same value in all three, and the half message stays in `messages`.
# RUN_ERROR calls onRunErrorEvent of a subscriber. Nothing tells of the stream that ended without
# either: neither onRunErrorEvent nor onRunFailed is called.
# What to do: subscribe, and take a run for done only after onRunFinishedEvent.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @ag-ui/client@1.0.0 @ag-ui/core@1.0.0 >/dev/null
cat >run.mjs <<'JAVASCRIPT'
import { createServer } from 'node:http'
import { HttpAgent } from '@ag-ui/client'

const begun = [
  { type: 'RUN_STARTED', threadId: 't', runId: 'r' },
  { type: 'TEXT_MESSAGE_START', messageId: 'm', role: 'assistant' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'Transfer 50' },
]
const end = { type: 'TEXT_MESSAGE_END', messageId: 'm' }
const runs = {
  finished: [...begun, end, { type: 'RUN_FINISHED', threadId: 't', runId: 'r' }],
  failed: [...begun, { type: 'RUN_ERROR', message: 'The model is gone.' }],
  cut: begun,
}

async function run(events) {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.end(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''))
  })
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
  const messages = [{ id: 'u', role: 'user', content: 'How much?' }]
  const url = `http://127.0.0.1:${server.address().port}/`
  const agent = new HttpAgent({ url, threadId: 't', initialMessages: messages })
  const called = []
  const result = await agent.runAgent({ runId: 'r' }, {
    onRunFinishedEvent: () => void called.push('onRunFinishedEvent'),
    onRunErrorEvent: () => void called.push('onRunErrorEvent'),
    onRunFailed: () => void called.push('onRunFailed'),
  })
  server.close()
  return [JSON.stringify(result), called.join()]
}

const seen = {}
for (const [name, events] of Object.entries(runs)) {
  seen[name] = await run(events)
  console.log(name.padEnd(8), ...seen[name])
}
const same = new Set(Object.values(seen).map(([result]) => result)).size === 1
const called = Object.values(seen).map(([, names]) => names)
if (!same || called.join(' ') !== 'onRunFinishedEvent onRunErrorEvent ') {
  console.log('the behaviour has changed')
  process.exit(1)
}
process.exit(0)
JAVASCRIPT
node run.mjs
