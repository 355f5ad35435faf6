// Shows the part of a trigger's form that its type asks for. Without it both parts show.
document.addEventListener("DOMContentLoaded", () => {
  const type = document.getElementById("id_type");
  if (!type) return;
  const show = () => {
    for (const kind of ["schedule", "event"]) {
      for (const part of document.querySelectorAll(`fieldset.for-${kind}`)) {
        part.hidden = type.value !== kind && !part.querySelector(".errors");
      }
    }
  };
  type.addEventListener("change", show);
  show();
});
