// Inputs that keep a code or an id and offer it by its name. A name that is typed becomes its value,
// and the input's `output` shows the name. The browser names countries in the page's language.

const folded = (text) => text.trim().toLocaleLowerCase();

for (const list of document.querySelectorAll("datalist[data-regions]")) {
  const names = new Intl.DisplayNames([document.documentElement.lang], {
    type: "region",
    fallback: "none",
  });
  for (const option of list.options) {
    // The English name stays, since people may type it, too.
    option.dataset.name = option.textContent;
    option.textContent = names.of(option.value) ?? option.textContent;
  }
}

for (const input of document.querySelectorAll("input[data-by-name]")) {
  const output = document.querySelector(`output[for="${input.id}"]`);
  const options = () => [...(input.list?.options ?? [])];
  // The page itself names the value that it came with, if the list is fetched later.
  const show = () => {
    const chosen = options().find((option) => option.value === input.value);
    if (output) output.textContent = chosen?.textContent ?? "";
  };
  if (input.list) show();
  input.addEventListener("input", show);
  input.addEventListener("change", () => {
    const typed = folded(input.value);
    if (!typed || options().some((option) => option.value === input.value)) return;
    const isMeant = ({ value, textContent, dataset }) =>
      [value, textContent, dataset.name ?? ""].some((name) => folded(name) === typed);
    const meant = options().filter(isMeant);
    // Several may have one name: the person has to choose.
    if (meant.length !== 1) return;
    input.value = meant[0].value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
