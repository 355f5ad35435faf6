// The form of a trigger: asks the server, while one writes, whether the sample event matches and
// what the prompt is with it. Without it, a button asks.

const PAUSE = 300; // Milliseconds without a key before the server is asked.
const WATCHED = new Set([
  "type", "event_source_id", "event_pattern", "sample", "sample_event",
  "prompt", "include_context", "name",
]);
// What says something about schedules alone, and stands among the limits.
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
    // What is written by hand is nobody's event any more.
    form.elements.sample_event.value = "";
    form.elements.sample_shown.value = `${form.elements.event_source_id.value} `;
  }
  arrange();
  clearTimeout(timer);
  timer = setTimeout(() => htmx.trigger(findings, "check"), PAUSE);
});

// Where the session has ended, the page would load anew, and what was entered be lost.
findings.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.status === 204) event.preventDefault();
});

arrange();
