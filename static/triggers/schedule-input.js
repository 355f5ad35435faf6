// The builder of a schedule: it writes the expression, reads it back when that is changed by
// hand, and shows what the server says about it. Without it the expression is written by hand.

const DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const WEEK = ["SUN", ...DAYS.slice(0, 6)]; // EventBridge counts from 1 = SUN.
const SHOWN = [
  ...["expression", "timezone", "start_date", "end_date", "timeout_seconds"],
  ...["more_expressions", "every_number", "every_unit", "every_from", "weekends_off", "holidays"],
  ...["days_off", "move_to", "working_days"],
];
const PAUSE = 250; // Milliseconds without a key before the server is asked.

const two = (number) => String(number).padStart(2, "0");
const plural = (number, unit) => `rate(${number} ${unit}${number === 1 ? "" : "s"})`;

/** What the builder shows for an expression; `mode` is custom where it has no other. */
export function read(text) {
  const expression = text.trim();
  let found = expression.match(/^rate\((\d+) (minute|hour)s?\)$/i);
  if (found) return { mode: `${found[2].toLowerCase()}s`, [`${found[2].toLowerCase()}s`]: found[1] };
  found = expression.match(/^at\((\d{4}-\d\d-\d\dT\d\d:\d\d)(:00)?\)$/i);
  if (found) return { mode: "once", once: found[1] };
  // The fields alone are a cron expression, too.
  const fields = expression.match(/^cron\(([^()]*)\)$/i)?.[1] ?? expression;
  found = fields.match(/^(\d+) (\d+) (\S+) \* (\S+) \*$/);
  if (!found || Number(found[1]) > 59 || Number(found[2]) > 23) return { mode: "custom" };
  return { time: `${two(found[2])}:${two(found[1])}`, ...readDays(found[3], found[4]) };
}

function readDays(date, weekday) {
  if (["* ?", "? *"].includes(`${date} ${weekday}`)) return { mode: "daily" };
  let found = weekday === "?" && date.match(/^(\d{1,2})(W?)$/);
  if (found) return { mode: "monthly", month: found[2] ? "nearest" : "day", date: found[1] };
  if (weekday === "?" && date === "L") return { mode: "monthly", month: "last" };
  if (date !== "?") return { mode: "custom" };
  found = weekday.match(/^([A-Z]{3}|[1-7])(#[1-5]|L)$/i);
  if (found && dayOf(found[1])) {
    return { mode: "monthly", month: "nth", weekday: dayOf(found[1]), nth: found[2].toUpperCase() };
  }
  const days = weekday.split(",").flatMap(readRange);
  return days.includes(undefined) ? { mode: "custom" } : { mode: "weekly", days };
}

function dayOf(name) {
  const day = name.toUpperCase();
  return WEEK.includes(day) ? day : WEEK[Number(day) - 1];
}

function readRange(text) {
  const [first, last = first, ...rest] = text.split("-").map((name) => WEEK.indexOf(dayOf(name)));
  if (first < 0 || last < first || rest.length) return [undefined];
  return WEEK.slice(first, last + 1);
}

/** The expression for what the builder shows; empty where something is missing. */
export function write(shown) {
  if (shown.mode === "minutes" || shown.mode === "hours") {
    const number = Number(shown[shown.mode]);
    return number >= 1 ? plural(number, shown.mode.slice(0, -1)) : "";
  }
  if (shown.mode === "once") return shown.once ? `at(${shown.once.slice(0, 16)}:00)` : "";
  if (!shown.mode || !shown.time) return "";
  const [hour, minute] = shown.time.split(":").map(Number);
  const days = writeDays(shown);
  return days && `cron(${minute} ${hour} ${days} *)`;
}

function writeDays(shown) {
  if (shown.mode === "daily") return "* * ?";
  if (shown.mode === "weekly") {
    const days = shown.days.join(",");
    if (days === DAYS.join(",")) return "* * ?";
    return days && `? * ${days === "MON,TUE,WED,THU,FRI" ? "MON-FRI" : days}`;
  }
  if (shown.month === "nth") return `? * ${shown.weekday}${shown.nth}`;
  if (shown.month === "last") return "L * ?";
  const date = Number(shown.date);
  return date >= 1 && date <= 31 && `${date}${shown.month === "nearest" ? "W" : ""} * ?`;
}

/** Shows the parts of an expression, and writes it. `written` is called after it has. */
export class Parts {
  constructor(root, written) {
    this.root = root;
    this.written = written;
    this.builder = root.querySelector(".builder");
    this.expression = root.querySelector("input[data-expression], :scope > input");
    this.mode = root.querySelector("[data-mode]");
    this.builder.hidden = false;
    this.follow();
    this.builder.addEventListener("input", (event) => this.build(event));
    this.expression.addEventListener("input", () => this.follow());
  }

  part(name) {
    return this.builder.querySelector(`[data-part="${name}"]`);
  }

  /** Shows in the builder what stands in the expression. */
  follow() {
    const text = this.expression.value;
    const shown = text.trim() ? read(text) : { mode: "" };
    this.mode.value = shown.mode;
    for (const [name, value] of Object.entries(shown)) {
      const part = this.part(name);
      if (part) part.value = value;
    }
    if (shown.days) {
      for (const box of this.builder.querySelectorAll("[data-day]")) {
        box.checked = shown.days.includes(box.dataset.day);
      }
    }
    this.arrange();
  }

  /** Shows the parts that the mode asks for. */
  arrange() {
    const [mode, month] = [this.mode.value, this.part("month").value];
    for (const part of this.builder.querySelectorAll("[data-in]")) {
      const kinds = part.dataset.kind?.split(" ");
      const fits = part.dataset.in.split(" ").includes(mode);
      part.hidden = !fits || Boolean(kinds && !kinds.includes(month));
    }
  }

  /** Writes the expression for what the builder shows. */
  build(event) {
    this.arrange();
    if (this.mode.value === "custom") {
      if (event.target === this.mode) this.expression.focus();
      return;
    }
    const shown = { mode: this.mode.value };
    for (const part of this.builder.querySelectorAll("[data-part]")) {
      shown[part.dataset.part] = part.value;
    }
    const boxes = [...this.builder.querySelectorAll("[data-day]")];
    shown.days = boxes.filter((box) => box.checked).map((box) => box.dataset.day);
    this.expression.value = write(shown) || "";
    this.written();
  }
}

class Builder extends Parts {
  constructor(root) {
    super(root, () => this.preview());
    this.form = root.closest("form");
    this.output = document.getElementById("schedule-preview") ?? this.newOutput();
    for (const name of SHOWN) {
      this.form.elements[name]?.addEventListener("input", () => this.preview());
    }
    this.output.addEventListener("click", (event) => this.use(event));
    this.offerZone();
    this.preview();
  }

  newOutput() {
    const made = document.createElement("div");
    made.className = "preview";
    made.setAttribute("aria-live", "polite");
    this.root.append(made);
    return made;
  }

  preview() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  async ask() {
    this.asked?.abort();
    this.asked = new AbortController();
    const [entered, data] = [new FormData(this.form), new FormData()];
    for (const name of [...SHOWN, "csrfmiddlewaretoken"]) {
      data.set(name, entered.get(name) ?? "");
    }
    data.set("counted_from", this.expression.dataset.countedFrom ?? "");
    try {
      const answer = await fetch(this.root.dataset.preview, {
        method: "POST",
        body: data,
        signal: this.asked.signal,
      });
      // The sign-in page, where the session has ended, is no preview.
      if (!answer.ok || answer.redirected) return;
      this.output.innerHTML = await answer.text();
      document.dispatchEvent(new CustomEvent("moca:shown", { detail: this.output }));
    } catch (error) {
      // A newer question took the place of this one, or the server is away: the old answer stays.
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
    }
  }

  /** Takes over a correction that is offered. */
  use(event) {
    const button = event.target.closest("[data-use]");
    if (!button) return;
    for (const [name, value] of Object.entries(JSON.parse(button.dataset.fields ?? "{}"))) {
      const other = this.form.elements[name];
      if (other?.type === "checkbox") other.checked = value;
      else if (other) other.value = value;
      other?.dispatchEvent(new Event("change", { bubbles: true }));
      other?.closest("details")?.setAttribute("open", "");
    }
    const field = this.form.elements[button.dataset.for];
    const zone = this.form.elements.timezone;
    if (button.dataset.zone && zone) {
      zone.value = button.dataset.zone;
      zone.dispatchEvent(new Event("input", { bubbles: true }));
    }
    field.value = button.dataset.use;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }

  /**
   * Fills in the time zone of the person's own clock in a new form that names none and that nobody
   * has touched; elsewhere offers it, as long as none is chosen.
   */
  offerZone() {
    const field = this.form.elements.timezone;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!field || field.value || !zone || zone === "UTC") return;
    const isKnown = [...(field.list?.options ?? [])].some((option) => option.value === zone);
    if ("fill" in field.dataset && isKnown) {
      field.value = zone;
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = this.root.dataset.offer.replace("{}", zone);
    button.addEventListener("click", () => {
      field.value = zone;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
    });
    field.addEventListener("input", () => {
      button.hidden = field.value !== "";
    });
    field.after(button);
  }
}

for (const root of document.querySelectorAll("[data-schedule]")) new Builder(root);
