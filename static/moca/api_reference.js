// Sends requests from the API reference; without it, the page is complete but for that.

const signIn = document.querySelector(".sign-in");
const token = signIn.querySelector("#token");
const csrf = signIn.querySelector("[name=csrfmiddlewaretoken]").value;

function request(form) {
  const { method } = form.dataset;
  const headers = token.value ? { Authorization: `Bearer ${token.value.trim()}` } : { "X-CSRFToken": csrf };
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const { name, value, dataset } of form.querySelectorAll("input")) {
    if (!value) continue;
    if (dataset.place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    if (dataset.place === "query") query.set(name, value);
    if (dataset.place === "header") headers[name] = value;
  }
  const body = form.elements.body?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const credentials = token.value ? "omit" : "same-origin";
  return new Request(query.size ? `${path}?${query}` : path, { method, headers, body, credentials });
}

async function send(form) {
  const shown = form.querySelector("output");
  shown.textContent = "…";
  try {
    const response = await fetch(request(form));
    const text = document.createElement("pre");
    text.tabIndex = 0;
    text.textContent = JSON.stringify(await response.json(), null, 2);
    shown.replaceChildren(`${response.status} ${response.statusText}`, text);
  } catch (error) {
    shown.textContent = `Nothing was answered: ${error.message}`;
  }
}

signIn.addEventListener("submit", (event) => event.preventDefault());
signIn.hidden = false;
for (const form of document.querySelectorAll(".try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
