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
});
