// The form of an agent: shows only the fields of its authorization. Without it, all are shown.

const form = document.querySelector("[data-agent]");
const auth = form.elements.auth;

function arrange() {
  for (const part of form.querySelectorAll("[data-for]")) {
    const isUsed = part.dataset.for.split(" ").includes(auth.value);
    part.hidden = !isUsed && !part.querySelector(".errors");
  }
}

auth.addEventListener("change", arrange);
arrange();
