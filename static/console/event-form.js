// The form of an event source: shows only the fields of its kind. Without it, all are shown.

const form = document.querySelector("[data-event-source]");
const kind = form.elements.kind;
const id = form.elements.id;

function arrange() {
  const hasAddress = (kind?.value ?? form.dataset.kind) !== "bus";
  for (const part of form.querySelectorAll(".for-address")) {
    part.hidden = !hasAddress && !part.querySelector(".errors");
  }
  for (const part of form.querySelectorAll(".for-bus")) part.hidden = hasAddress;
}

// The id follows the name until the operator enters one.
let isOwn = id?.value !== "";
function suggest() {
  if (isOwn) return;
  const plain = form.elements.name.value.normalize("NFKD").toLowerCase();
  id.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 36);
  showId();
}

function showId() {
  form.querySelector("[data-id]").textContent = id.value.trim() || "ID";
}

if (kind) {
  kind.addEventListener("change", arrange);
  form.elements.name.addEventListener("input", suggest);
  id.addEventListener("input", () => {
    isOwn = id.value !== "";
    showId();
  });
  // The operator may have started to type before this script ran.
  suggest();
  showId();
}
arrange();
