// The form of a trigger: while the operator types, asks the server whether the sample event matches
// and what the prompt is. Without this script, a button asks.

const PAUSE = 300; // Milliseconds without a key before the server is asked.
const WATCHED = new Set([
  "type", "event_source_id", "event_pattern", "sample", "sample_event",
  "prompt", "include_context", "name",
]);
// Fields among the limits that only schedules have.
const SCHEDULES = ["window_minutes", "start_date", "end_date"];

const findings = document.getElementById("event-findings");
const form = findings.closest("form");
let timer;

function arrange() {
  const bus = form.querySelector(".field-event_bus_name");
  const input = form.elements.event_bus_name;
  const hasSource = form.elements.event_source_id.value !== "";
  bus.hidden = hasSource && !input.value && !bus.querySelector(".errors");
  for (const name of SCHEDULES) {
    const field = form.querySelector(`.field-${name}`);
    field.hidden = form.elements.type.value === "event" && !field.querySelector(".errors");
  }
}

form.addEventListener("input", (event) => {
  const { name } = event.target;
  if (!WATCHED.has(name)) return;
  if (name === "sample") {
    // An edited sample is the operator's own event.
    form.elements.sample_event.value = "";
    form.elements.sample_shown.value = `${form.elements.event_source_id.value} `;
  }
  arrange();
  clearTimeout(timer);
  timer = setTimeout(() => htmx.trigger(findings, "check"), PAUSE);
});

// If the session has ended, htmx would reload the page and lose the input.
findings.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.status === 204) event.preventDefault();
});

arrange();
