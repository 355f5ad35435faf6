// The agent's output, tools and reasoning, live. The view follows the end of the output until the
// operator scrolls up.

const PAUSE = 1000; // Milliseconds between two requests.
const LONGEST_PAUSE = 15000;
const NEAR = 24; // Pixels from the end that still count as the end.

const output = document.getElementById("output");
const button = document.querySelector("[data-follow]");
const activity = document.getElementById("activity");
let next = output.dataset.next;
let pause = PAUSE;
let follows = true;

function follow(wanted) {
  follows = wanted;
  button.setAttribute("aria-pressed", wanted);
  if (wanted) output.scrollTop = output.scrollHeight;
}

async function ask() {
  try {
    const query = new URLSearchParams({ after: next, digest: activity.dataset.digest });
    const answer = await fetch(`${output.dataset.live}?${query}`);
    if (answer.redirected) {
      // The session has ended. The reload leads to the sign-in page.
      location.reload();
      return;
    }
    if (!answer.ok) throw new TypeError(`The server answered ${answer.status}.`);
    const said = await answer.json();
    pause = PAUSE;
    next = said.next;
    if (said.text) {
      output.append(said.text);
      if (follows) output.scrollTop = output.scrollHeight;
    }
    if (said.activity) showActivity(said.activity, said.digest);
    if (said.done || (output.dataset.queued && !said.queued)) {
      location.reload();
      return;
    }
  } catch (error) {
    // The server cannot be reached: ask less often, and continue from the same byte.
    if (!(error instanceof TypeError)) throw error;
    pause = Math.min(LONGEST_PAUSE, pause * 2);
  }
  setTimeout(askWhenSeen, pause);
}

// The tools and the reasoning. The server writes and escapes their HTML.

/** Replaces the parts that have changed. Folds that the operator has opened stay open. */
function showActivity(html, digest) {
  const made = document.createElement("template");
  made.innerHTML = html;
  for (const name of ["tools", "reasoning"]) {
    activity.querySelector(`[data-part=${name}]`).hidden = made.content.querySelector(
      `[data-part=${name}]`,
    ).hidden;
  }
  for (const part of made.content.querySelectorAll("[data-part]:not([data-part=tools])")) {
    showPart(part);
  }
  activity.dataset.digest = digest;
}

function showPart(part) {
  const before = activity.querySelector(`[data-part=${part.dataset.part}]`);
  if (!before) {
    const list = part.matches("li") ? activity.querySelector("[data-list]") : null;
    (list ?? activity.querySelector("[data-part=tools]")).append(part);
    return;
  }
  const folds = foldsOf(part);
  const tops = [...before.querySelectorAll("pre")].map((text) => text.scrollTop);
  foldsOf(before).forEach((fold, place) => {
    if (folds[place]) folds[place].open = fold.open;
  });
  if (before.isEqualNode(part)) return;
  before.replaceWith(part);
  part.querySelectorAll("pre").forEach((text, place) => (text.scrollTop = tops[place] ?? 0));
}

function foldsOf(part) {
  return [...(part.matches("details") ? [part] : []), ...part.querySelectorAll("details")];
}

/** Asks now, or when the tab is shown, because each request reads the whole run. */
function askWhenSeen() {
  if (document.visibilityState === "visible") {
    ask();
  } else {
    document.addEventListener("visibilitychange", askWhenSeen, { once: true });
  }
}

// The elapsed time

const elapsed = document.querySelector("[data-elapsed]");
const since = Date.now() - Number(elapsed.dataset.elapsed);

function tick() {
  const seconds = Math.floor((Date.now() - since) / 1000);
  const minutes = String(Math.floor(seconds / 60));
  elapsed.textContent = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

tick();
setInterval(tick, 1000);

button.hidden = false;
button.addEventListener("click", () => follow(!follows));
output.addEventListener("scroll", () => {
  const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < NEAR;
  if (atEnd !== follows) {
    follows = atEnd;
    button.setAttribute("aria-pressed", atEnd);
  }
});
follow(true);
setTimeout(askWhenSeen, PAUSE);
