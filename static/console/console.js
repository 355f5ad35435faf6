// Shortcuts on the operators' pages. All pages work without this script.

const REFRESH = 10; // Seconds between two polls of a list that names no other interval.

// Light and dark

const themeSwitch = document.querySelector("[data-theme-switch]");
themeSwitch.hidden = false;
themeSwitch.addEventListener("click", () => {
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = (root.dataset.theme ?? (prefersDark ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

// Local times. The server converts them, because the browser's time zone data may be old.

const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const converted = new Map();

for (const button of document.querySelectorAll(".times [name=times]")) {
  button.form.elements.zone.value = ownZone;
  button.hidden = false;
}

/** Asks the server for the local times of moments. Returns false if it gives none. */
async function convert(moments) {
  const unknown = [...new Set(moments)].filter((moment) => !converted.has(moment));
  if (unknown.length === 0) return true;
  const query = new URLSearchParams([["zone", ownZone], ...unknown.map((each) => ["at", each])]);
  try {
    const answer = await fetch(`${document.body.dataset.clockAddress}?${query}`);
    // If the session has ended, the answer is the sign-in page.
    if (!answer.ok || answer.redirected) return false;
    const { times, words } = await answer.json();
    unknown.forEach((moment, index) => {
      // The hour in 2027-02-01T09:00:00+09:00.
      converted.set(moment, { words: words[index], hour: times[index].slice(11, 16) });
    });
    return true;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return false;
  }
}

async function showTimes(root) {
  const heads = [...root.querySelectorAll("[data-viewer-head]")].filter(
    (head) => head.dataset.viewerHead !== ownZone,
  );
  const columns = heads.flatMap((head) => [
    ...head.closest("table").querySelectorAll("time[data-viewer]"),
  ]);
  const hours = [...root.querySelectorAll("time[data-hour]")];
  if (!(await convert([...columns, ...hours].map((time) => time.dateTime)))) return;
  for (const head of heads) head.hidden = false;
  for (const time of columns) {
    time.textContent = converted.get(time.dateTime).words;
    time.parentElement.hidden = false;
  }
  for (const time of hours) time.textContent = converted.get(time.dateTime).hour;
  for (const clock of root.querySelectorAll("[data-clock]")) {
    clock.textContent = clock.dataset.clock;
  }
}

// Selected rows

function countTicked() {
  for (const bulk of document.querySelectorAll("[data-bulk]")) {
    const boxes = [...bulk.closest("form").querySelectorAll("tbody input[type=checkbox]")];
    const ticked = boxes.filter((box) => box.checked).length;
    bulk.hidden = ticked === 0;
    const matching = bulk.querySelector("[data-all]");
    if (matching && ticked < boxes.length) matching.checked = false;
    bulk.querySelector("[data-ticked]").textContent = `${ticked} / ${boxes.length}`;
    const all = bulk.closest("form").querySelector("[data-tick-all]");
    all.hidden = false;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }
}

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-tick-all]");
  const matching = event.target.closest("[data-all]:checked");
  if (all || matching) {
    for (const box of event.target.form.querySelectorAll("tbody input[type=checkbox]")) {
      box.checked = event.target.checked;
    }
  }
  if (event.target.matches("input[type=checkbox]")) countTicked();
  if (event.target.matches("[data-filters] select")) event.target.form.requestSubmit();
});

// Forms: ask before the operator leaves a changed form

function entered(form) {
  return new URLSearchParams(new FormData(form)).toString();
}

for (const form of document.querySelectorAll("form.trigger")) {
  // Rejected input exists only on this page, so leaving always asks.
  let before = form.querySelector("[aria-invalid=true]") ? "" : undefined;
  let isSent = false;
  // The first focus is the reference, because scripts fill in fields before that.
  form.addEventListener("focusin", () => (before ??= entered(form)));
  form.addEventListener("submit", () => (isSent = true));
  addEventListener("beforeunload", (event) => {
    if (!isSent && before !== undefined && entered(form) !== before) event.preventDefault();
  });
  // The browser's back button may show a form that was sent.
  addEventListener("pageshow", () => (isSent = false));
}

// Lists that refresh by themselves, unless the operator is working in them

function refresh() {
  if (document.visibilityState !== "visible") return;
  for (const list of document.querySelectorAll("[data-refresh]")) {
    const seconds = Number(list.dataset.refresh) || REFRESH;
    const age = (Date.now() - Number(list.dataset.shown)) / 1000;
    // htmx restores the focus only to elements with an id.
    const isInUse = list.querySelector(
      "tbody input:checked, select:focus, details[open], :focus-visible:not([id])",
    );
    if (age >= seconds && !isInUse) htmx.trigger(list, "refresh");
  }
}

function show(root) {
  showTimes(root);
  countTicked();
  for (const list of document.querySelectorAll("[data-refresh]")) {
    list.dataset.shown ??= Date.now();
  }
}

show(document);
setInterval(refresh, 1000);
document.addEventListener("visibilitychange", refresh);
document.addEventListener("moca:shown", (event) => showTimes(event.detail));
document.addEventListener("htmx:afterSettle", () => show(document));
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const { version, turn } = detail.elt.dataset;
  if (version === undefined) return;
  detail.headers["X-Page-Version"] = version;
  detail.headers["X-Page-Turn"] = turn ?? 0;
});
// 204: the page is unchanged, and the next poll compares the next turn.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.xhr.status !== 204) return;
  const { dataset } = detail.elt;
  dataset.shown = Date.now();
  dataset.turn = Number(dataset.turn ?? 0) + 1;
});
// After a failed poll, wait for the full interval instead of one second.
for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, (event) => {
    const list = event.target.closest?.("[data-refresh]");
    if (list) list.dataset.shown = Date.now();
  });
}

// Copy buttons, and the tabs of the agent's output: formatted or plain

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.classList.add("done");
  });
}

for (const tabs of document.querySelectorAll("[data-tabs]")) {
  tabs.hidden = false;
  tabs.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-shows]");
    if (!chosen) return;
    for (const button of tabs.children) button.setAttribute("aria-pressed", button === chosen);
    for (const tab of document.querySelectorAll("[data-tab]")) {
      tab.hidden = tab.dataset.tab !== chosen.dataset.shows;
    }
  });
}

// On narrow screens the sections are one line that scrolls: show the present one.
const sections = document.querySelector(".bar nav");
const present = sections?.querySelector("[aria-current]");
if (present) {
  const middle = present.offsetLeft - sections.offsetLeft + present.offsetWidth / 2;
  sections.scrollLeft = middle - sections.clientWidth / 2;
}
