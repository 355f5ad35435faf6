#!/bin/sh
# @modelcontextprotocol/sdk 1.32.2 (npm), McpServer and Client: a result with one field more than the
# tool's output schema names.
#
# Valid input: a tool with outputSchema {total: z.number()} that returns {total: 5, currency: "EUR"},
# such as a row of a database. Zod and TypeScript accept it: zod's objects are open, and it leaves
# other fields out.
#
# One would have guessed: the server checks the result by the schema and sends what came out of it,
# {total: 5}, or it refuses the result; and the client of the same SDK accepts what the server let
# through.
# Seen: the server finds the result valid and sends both fields. In tools/list the same schema has
# "additionalProperties": false, and a client that has listed the tools throws "must NOT have
# additional properties". A client that has not listed them gets the result.
# What to do: declare outputSchema as z.looseObject({...}), or return the schema's fields only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @modelcontextprotocol/sdk@1.32.2 zod@4 >/dev/null
cat >run.mjs <<'JAVASCRIPT'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import * as z from 'zod'

const server = new McpServer({ name: 'shop', version: '1' })
const structuredContent = { total: 5, currency: 'EUR' }
server.registerTool(
  'total',
  { description: 'The total.', outputSchema: { total: z.number() } },
  async () => ({ content: [], structuredContent }),
)
const [one, other] = InMemoryTransport.createLinkedPair()
const client = new Client({ name: 'client', version: '1' })
await server.connect(one)
await client.connect(other)

async function call() {
  try {
    const result = await client.callTool({ name: 'total', arguments: {} })
    return JSON.stringify(result.structuredContent)
  } catch (error) {
    return error.message
  }
}

const before = await call()
await client.listTools()
const after = await call()
console.log('before tools/list:', before)
console.log('after tools/list: ', after)
const asSeen =
  before === JSON.stringify(structuredContent) && after.includes('must NOT have additional properties')
if (!asSeen) {
  console.log('the behaviour has changed')
  process.exit(1)
}
process.exit(0)
JAVASCRIPT
node run.mjs
