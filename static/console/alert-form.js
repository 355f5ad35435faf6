// The form of a channel: shows only the fields of its kind. Without it, all are shown.

const form = document.querySelector("[data-channel]");
const kind = form.elements.kind;

function arrange() {
  for (const part of form.querySelectorAll("[data-for]")) {
    const isUsed = part.dataset.for.split(" ").includes(kind.value);
    part.hidden = !isUsed && !part.querySelector(".errors");
  }
}

kind.addEventListener("change", arrange);
arrange();
