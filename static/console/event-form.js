// The form of an event source: shows only the fields of its kind. Without it, all are shown.

const form = document.querySelector("[data-event-source]");
const kind = form.elements.kind;
const id = form.elements.id;

// What each kind asks, and what to enter as its secret. A stored source shows its own fields only.
const kinds = JSON.parse(document.getElementById("kinds")?.textContent ?? "{}");
const secretHelp = document.getElementById("id_secret_helptext");

function show(name, isShown) {
  for (const part of form.querySelectorAll(`.for-${name}`)) {
    part.hidden = !isShown && !part.querySelector(".errors");
  }
}

function arrange() {
  const chosen = kind?.value ?? form.dataset.kind;
  show("address", chosen !== "bus");
  for (const part of form.querySelectorAll(".for-bus")) part.hidden = chosen !== "bus";
  const about = kinds[chosen];
  if (!about) return;
  show("general", about.described);
  show("hmac", chosen === "hmac");
  show("token", chosen === "token");
  show("window", about.window);
  if (secretHelp && about.secret) secretHelp.textContent = about.secret;
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
