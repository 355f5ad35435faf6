// The whole life of a trigger, with types that openapi-typescript made from the API's description.
// Prints what it saw as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Trigger = components["schemas"]["Trigger"];

const [baseUrl = "", token = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

function value<T>(answer: { data?: T; error?: { message: string } }): T {
  if (answer.data === undefined) throw new Error(answer.error?.message);
  return answer.data;
}

const path = (trigger: Trigger) => ({ params: { path: { triggerId: trigger.id } } });

const created = value(
  await api.POST("/triggers", {
    body: {
      name: "Typed",
      type: "schedule",
      agentId: "reporter",
      prompt: "Report.",
      scheduleConfig: { expression: "cron(0 9 ? * MON-FRI *)", timezone: "Asia/Tokyo" },
    },
  }),
).trigger;

const wrong = await api.POST("/schedules/preview", { body: { expression: "0 9 * * 1-5" } });
const suggestion: string | undefined =
  wrong.error && "details" in wrong.error ? wrong.error.details?.[0]?.suggestion : undefined;

const changed = value(
  await api.PATCH("/triggers/{triggerId}", {
    params: {
      path: { triggerId: created.id },
      header: { "If-Match": `"${created.version}"` },
    },
    body: { description: "Changed.", tags: ["typed"], overlapPolicy: "allow" },
  }),
).trigger;
const disabled = value(await api.POST("/triggers/{triggerId}/disable", path(created))).trigger;
const enabled = value(await api.POST("/triggers/{triggerId}/enable", path(created))).trigger;
const listed = value(
  await api.GET("/triggers", { params: { query: { search: "Typed", limit: 10 } } }),
).triggers;

const run = value(await api.POST("/triggers/{triggerId}/run", path(created))).execution;
const ids = { triggerId: created.id, executionId: run.executionId };
let output = "";
for (let after = 0, done = false; !done; ) {
  const said = value(
    await api.GET("/triggers/{triggerId}/executions/{executionId}/output", {
      params: { path: ids, query: { after } },
    }),
  );
  output += said.text;
  ({ next: after, done } = said);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const ended = value(
  await api.GET("/triggers/{triggerId}/executions/{executionId}", { params: { path: ids } }),
).execution;
const { success } = value(await api.DELETE("/triggers/{triggerId}", path(created)));
const gone = await api.GET("/triggers/{triggerId}", path(created));

console.log(
  JSON.stringify({
    suggestion: suggestion ?? null,
    version: changed.version,
    states: [disabled.enabled, enabled.enabled],
    listed: listed.length,
    outcome: ended.outcome ?? null,
    said: output.includes("Report."),
    deleted: success,
    gone: gone.response.status,
  }),
);
