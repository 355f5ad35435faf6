#!/bin/sh
# @strands-agents/sdk 1.16.0 (npm): how often the tokens of one call of the model are in the stream.
#
# Valid input: an agent with a stand-in model that reports a usage of 11 and 7 tokens once, in a
# modelMetadataEvent; agent.stream(), each event as JSON, as bedrock-agentcore sends it.
#
# One would have guessed: the usage is where the model gave it, so that whoever sums "usage" over
# the events of a run has its tokens.
# Seen: the same usage is in five events of one call: in the update of the model's stream, and again
# in the metadata of the message, which modelMessageEvent, afterModelCallEvent, messageAddedEvent
# and agentResultEvent repeat. A sum over all is five times the tokens.
# What to do: sum the usage of modelMetadataEvent alone.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @strands-agents/sdk@1.16.0 zod@4 >/dev/null
cat >agent.mjs <<'JAVASCRIPT'
import { Agent, Model } from '@strands-agents/sdk'

class StandIn extends Model {
  updateConfig() {}
  getConfig() {
    return { modelId: 'stand-in' }
  }
  async *stream() {
    yield { type: 'modelMessageStartEvent', role: 'assistant' }
    yield { type: 'modelContentBlockStartEvent' }
    yield { type: 'modelContentBlockDeltaEvent', delta: { type: 'textDelta', text: 'Hello.' } }
    yield { type: 'modelContentBlockStopEvent' }
    yield { type: 'modelMessageStopEvent', stopReason: 'endTurn' }
    const usage = { inputTokens: 11, outputTokens: 7, totalTokens: 18 }
    yield { type: 'modelMetadataEvent', usage, metrics: { latencyMs: 1 } }
  }
}

const found = []
const agent = new Agent({ model: new StandIn(), printer: false })
for await (const event of agent.stream('Hi')) {
  if (JSON.stringify(event).includes('"inputTokens":11')) found.push(event.type)
}
console.log(`${found.length} events with the usage of one call:`, found.join(', '))
const expected = [
  'modelStreamUpdateEvent', 'modelMessageEvent', 'afterModelCallEvent', 'messageAddedEvent', 'agentResultEvent',
]
if (found.join() !== expected.join()) {
  console.log('the behaviour has changed')
  process.exit(1)
}
JAVASCRIPT
node agent.mjs
