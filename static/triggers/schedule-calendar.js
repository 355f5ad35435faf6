// Further times and days off of a schedule: a row with a builder for each further expression, and a
// date picker for the days. Both write the text areas, which are used by hand without it.

import { Parts } from "./schedule-input.js";

const texts = (root) => root.closest("[data-calendar]")?.dataset ?? document.body.dataset;

function button(text, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "small";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

/** The lines of a text area, which is hidden; `changed` writes them and tells the preview. */
class Lines {
  constructor(area, className) {
    this.area = area;
    this.root = document.createElement("div");
    this.root.className = className;
    area.hidden = true;
    area.after(this.root);
    area.addEventListener("change", () => this.show());
  }

  get lines() {
    return this.area.value.split("\n").map((line) => line.trim()).filter(Boolean);
  }

  write(lines) {
    this.area.value = lines.join("\n");
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

class FurtherTimes extends Lines {
  constructor(area, pattern) {
    super(area, "more-times");
    this.pattern = pattern;
    this.show();
  }

  show() {
    this.root.replaceChildren();
    this.more = button(texts(this.area).addTime ?? "+", "", () => {
      this.add("").querySelector("[data-mode]").focus();
      this.changed();
    });
    this.root.append(this.more);
    for (const line of this.lines) this.add(line);
  }

  add(text) {
    const row = this.pattern.cloneNode(true);
    const input = row.querySelector(":scope > input");
    for (const name of ["id", "name", "aria-describedby", "required"]) input.removeAttribute(name);
    input.setAttribute("aria-label", this.area.labels[0]?.textContent ?? "");
    input.value = text;
    const remove = button(texts(this.area).remove ?? "×", "", () => {
      row.remove();
      this.changed();
    });
    row.append(remove);
    this.more.before(row);
    new Parts(row, () => this.changed());
    input.addEventListener("input", () => this.changed());
    return row;
  }

  changed() {
    const inputs = [...this.root.querySelectorAll(".schedule-input > input")];
    this.write(inputs.map((input) => input.value.trim()));
  }
}

class Days extends Lines {
  constructor(area) {
    super(area, "chosen-days");
    this.list = document.createElement("ul");
    this.adder = document.createElement("div");
    this.adder.className = "adder";
    this.from = this.picker(texts(area).from);
    this.to = this.picker(texts(area).to);
    this.adder.append(button(texts(area).addDay ?? "+", "", () => this.add()));
    this.root.append(this.list, this.adder);
    this.show();
  }

  picker(text) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "date";
    label.append(text ?? "", input);
    // The admin's form has no texts for it.
    if (!text) input.setAttribute("aria-label", this.area.labels[0]?.textContent ?? "");
    this.adder.append(label);
    return input;
  }

  add() {
    const [from, to] = [this.from.value || this.to.value, this.to.value];
    if (!from) {
      this.from.focus();
      return;
    }
    const line = to && to !== from ? `${from} to ${to}` : from;
    this.write([...new Set([...this.lines, line])].sort());
    this.from.value = "";
    this.to.value = "";
    this.show();
  }

  show() {
    this.list.replaceChildren();
    for (const line of this.lines) {
      const item = document.createElement("li");
      item.textContent = line.replace(" to ", " – ");
      const label = `${texts(this.area).remove ?? ""} ${line}`;
      item.append(button("×", label, () => {
        this.write(this.lines.filter((other) => other !== line));
        this.show();
      }));
      this.list.append(item);
    }
  }
}

const pattern = document.querySelector("[data-schedule]")?.cloneNode(true);
// The row for a further expression has neither the preview of the first nor its element.
pattern?.querySelector(".preview")?.remove();
delete pattern?.dataset.schedule;
// A copy keeps what the first schedule's builder shows. A new row begins with the defaults.
for (const part of pattern?.querySelectorAll(".builder input") ?? []) {
  part.value = part.defaultValue;
  part.checked = part.defaultChecked;
}
for (const area of document.querySelectorAll("[data-more]")) {
  if (pattern) new FurtherTimes(area, pattern);
}
for (const area of document.querySelectorAll("[data-days]")) new Days(area);
