#!/bin/sh
# ai 6.0.326 (npm), streamText(): the tokens of a run whose second call of the model fails.
#
# Valid input: a stand-in model that calls a tool and reports 11 and 7 tokens. The tool answers, and
# the second call of the model is refused, as by a rate limit. An onError callback is there.
#
# One would have guessed: totalUsage has the 11 and 7 tokens, since they are spent and `steps` has
# them; or it is rejected as when the first call fails.
# Seen: it is resolved, and empty: neither inputTokens nor outputTokens is in it. `text` is resolved,
# too, as "", and finishReason as "other". Whoever counts costs by totalUsage counts nothing for a run
# that failed after some steps.
# What to do: sum the usage of `steps`, or of each onStepFinish.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund ai@6.0.326 zod@4 >/dev/null
cat >run.mjs <<'JAVASCRIPT'
import { jsonSchema, simulateReadableStream, stepCountIs, streamText, tool } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'

const usage = {
  inputTokens: { total: 11, noCache: 11, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 7, text: 7, reasoning: 0 },
}
const chunks = [
  { type: 'stream-start', warnings: [] },
  { type: 'tool-call', toolCallId: 'c1', toolName: 'look', input: '{}' },
  { type: 'finish', finishReason: { unified: 'tool-calls', raw: 'tool_calls' }, usage },
]
let calls = 0
const model = new MockLanguageModelV3({
  doStream: async () => {
    calls += 1
    if (calls > 1) throw new Error('429')
    return { stream: simulateReadableStream({ chunks }) }
  },
})
const inputSchema = jsonSchema({ type: 'object', properties: {} })
const tools = { look: tool({ description: 'Looks.', inputSchema, execute: async () => 'seen' }) }
const errors = []
const onError = ({ error }) => void errors.push(error.message)
const stopWhen = stepCountIs(5)
const run = streamText({ model, prompt: 'Look.', tools, stopWhen, maxRetries: 0, onError })
await run.consumeStream()
const total = await run.totalUsage
const steps = (await run.steps).map((step) => [step.usage.inputTokens, step.usage.outputTokens])
console.log('calls of the model:', calls, 'errors:', errors, 'tokens of the steps:', steps)
console.log('totalUsage:', JSON.stringify(total), 'text:', JSON.stringify(await run.text))
const reason = await run.finishReason
console.log('finishReason:', reason)
const isEmpty = total.inputTokens === undefined && total.outputTokens === undefined
const isWhole = JSON.stringify(steps) === '[[11,7]]'
if (!isEmpty || !isWhole || (await run.text) !== '' || reason !== 'other') {
  console.log('the behaviour has changed')
  process.exit(1)
}
JAVASCRIPT
node run.mjs
