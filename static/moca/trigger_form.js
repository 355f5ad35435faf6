// Shows the part of a trigger's form that its type asks for, and chooses what suits the type as long
// as nobody has. Without it both parts show, and the server chooses.
document.addEventListener("DOMContentLoaded", () => {
  const type = document.getElementById("id_type");
  if (!type) return;
  const overlap = document.getElementById("id_overlap_policy");
  let isUnchosen = overlap?.value === "";
  overlap?.addEventListener("change", () => {
    isUnchosen = overlap.value === "";
  });
  const show = () => {
    for (const kind of ["schedule", "event"]) {
      for (const part of document.querySelectorAll(`fieldset.for-${kind}`)) {
        part.hidden = type.value !== kind && !part.querySelector(".errors");
      }
    }
    if (isUnchosen) overlap.value = type.value === "event" ? "allow" : "skip";
  };
  type.addEventListener("change", show);
  show();

  // Choosing a trigger to follow writes the pattern of the ends of its runs.
  const followed = document.getElementById("id_after_trigger");
  const result = document.getElementById("id_after_result");
  const pattern = document.getElementById("id_event_pattern");
  const source = document.getElementById("id_event_source_id");
  const showResult = () => {
    const row = result?.closest(".field, .form-row");
    if (row) row.hidden = followed.value === "";
  };
  const follow = () => {
    showResult();
    if (!followed.value || !pattern) return;
    const wanted = {
      source: ["moca.triggers"],
      "detail-type": result.value.split(","),
      detail: { triggerId: [followed.value] },
    };
    pattern.value = JSON.stringify(wanted, null, 2);
    if (source) source.value = "";
    for (const changed of [source, pattern]) {
      changed?.dispatchEvent(new Event("input", { bubbles: true }));
      changed?.dispatchEvent(new Event("change", { bubbles: true }));
    }
  };
  followed?.addEventListener("change", follow);
  result?.addEventListener("change", follow);
  if (followed) showResult();
});
