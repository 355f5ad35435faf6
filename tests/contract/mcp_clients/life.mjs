// The TypeScript client drives a trigger's whole life: node life.mjs ADDRESS TOKEN MODE
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [address, token, mode] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(address), {
  requestInit: { headers: { Authorization: `Bearer ${token}` } },
});
const client = new Client(
  { name: "life", version: "1.0" },
  { versionNegotiation: { mode } },
);
await client.connect(transport);

async function call(name, args = {}) {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError) throw new Error(result.content[0].text);
  return result.structuredContent;
}

const tools = (await client.listTools()).tools.map((tool) => tool.name);
const preview = await call("preview_schedule", { expression: "rate(1 hour)" });
const { trigger } = await call("create_trigger", {
  name: "Report",
  type: "schedule",
  agentId: "reporter",
  prompt: "Report.",
  scheduleConfig: { expression: "rate(1 hour)" },
});
const triggerId = trigger.id;
const changed = await call("update_trigger", { triggerId, prompt: "Say hello." });
const mistake = await client.callTool({ name: "get_trigger", arguments: { triggerId: "none" } });
const listed = await call("list_triggers");
const prompt = await client.getPrompt({ name: "write_trigger", arguments: { goal: "Greet." } });
const resource = await client.readResource({ uri: `moca://triggers/${triggerId}` });
const gone = await call("delete_trigger", { triggerId });
await client.close();

console.log(
  JSON.stringify({
    version: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion,
    tools: tools.length,
    preview: preview.description,
    changed: changed.trigger.prompt,
    mistake: mistake.isError,
    listed: listed.triggers.length,
    prompt: prompt.messages[0].content.text.includes("Greet."),
    resource: JSON.parse(resource.contents[0].text).prompt,
    deleted: gone.deleted,
  }),
);
