// An agent by AgentCore's TypeScript SDK, over the Strands SDK. Usage: PORT.
import { BedrockAgentCoreApp } from 'bedrock-agentcore/runtime'
import { Agent, Model, tool } from '@strands-agents/sdk'
import { z } from 'zod'

const usage = {
  inputTokens: 11, outputTokens: 7, totalTokens: 18, cacheReadInputTokens: 3, cacheWriteInputTokens: 2,
}
const delta = (type, value) => ({ type: 'modelContentBlockDeltaEvent', delta: { type, ...value } })

class StandIn extends Model {
  updateConfig() {}
  getConfig() {
    return { modelId: 'stand-in' }
  }
  async *stream(messages) {
    const prompt = JSON.stringify(messages)
    let stopReason = ['guardrailIntervened', 'maxTokens'].find((word) => prompt.includes(word)) ?? 'endTurn'
    yield { type: 'modelMessageStartEvent', role: 'assistant' }
    if (prompt.includes('use the tool') && !prompt.includes('toolResult')) {
      stopReason = 'toolUse'
      const start = { type: 'toolUseStart', name: 'clock', toolUseId: 't1' }
      yield { type: 'modelContentBlockStartEvent', start }
      yield delta('toolUseInputDelta', { input: '{"zone":"UTC"}' })
    } else {
      if (prompt.includes('reason')) {
        yield { type: 'modelContentBlockStartEvent' }
        yield delta('reasoningContentDelta', { text: 'I think.' })
        yield { type: 'modelContentBlockStopEvent' }
      }
      yield { type: 'modelContentBlockStartEvent' }
      yield delta('textDelta', { text: 'Hello ' })
      if (prompt.includes('break midway')) throw new Error('')
      yield delta('textDelta', { text: 'world.' })
    }
    yield { type: 'modelContentBlockStopEvent' }
    yield { type: 'modelMessageStopEvent', stopReason }
    yield { type: 'modelMetadataEvent', usage, metrics: { latencyMs: 1 } }
  }
}

const clock = tool({
  name: 'clock',
  description: 'Tell the time.',
  inputSchema: z.object({ zone: z.string() }),
  callback: ({ zone }) => `noon in ${zone}`,
})
const agent = () => new Agent({ model: new StandIn(), tools: [clock], printer: false })

async function* stream(prompt, mode) {
  for await (const event of agent().stream(prompt)) {
    const text = event.event?.delta?.type === 'textDelta' ? event.event.delta.text : ''
    if (mode === 'all') yield event
    else if (text && mode === 'readme') yield { event: 'message', data: { text } }
    else if (text) yield mode === 'text' ? text : { text }
  }
}

async function process_(request) {
  const mode = request.prompt.split(':')[0]
  if (mode === 'raise') throw new Error('no')
  if (mode === 'value') return String(await agent().invoke(request.prompt))
  if (mode === 'object') return { result: String(await agent().invoke(request.prompt)) }
  return stream(request.prompt, mode)
}

const app = new BedrockAgentCoreApp({
  invocationHandler: { requestSchema: z.object({ prompt: z.string() }), process: process_ },
  config: { logging: { enabled: false } },
})
app.run({ port: Number(process.argv[2]), host: '127.0.0.1' })
