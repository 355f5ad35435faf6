// The form of an event source: shows what its sort of source asks for. Without it, all shows.

const form = document.querySelector("[data-event-source]");
const kind = form.elements.kind;
const id = form.elements.id;

function arrange() {
  const hasAddress = (kind?.value ?? form.dataset.kind) !== "bus";
  for (const part of form.querySelectorAll(".for-address")) {
    part.hidden = !hasAddress && !part.querySelector(".errors");
  }
}

function showId() {
  form.querySelector("[data-id]").textContent = id.value.trim() || "ID";
}

if (kind) {
  kind.addEventListener("change", arrange);
  id.addEventListener("input", showId);
  showId();
}
arrange();
