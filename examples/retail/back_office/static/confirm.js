"use strict";
// A form with data-confirm is only sent after a yes in the dialog, which repeats what will be done.
// "{name}" in the question stands for the form's field of that name; data-repeat names a field shown in full.
(() => {
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  const part = (name) => document.getElementById("confirm-" + name);
  let waiting = null;

  for (const form of document.querySelectorAll("form[data-confirm]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      waiting = form;
      const value = (name) => form.elements[name].value.trim();
      part("question").textContent = form.dataset.confirm.replace(/\{(\w+)\}/g, (_, name) => value(name));
      part("reference").textContent = value("reference");
      part("detail").hidden = !form.dataset.repeat;
      part("detail").textContent = form.dataset.repeat ? value(form.dataset.repeat) : "";
      part("yes").disabled = false;
      dialog.showModal();
    });
  }
  part("no").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { waiting = null; });
  part("yes").addEventListener("click", () => {
    if (!waiting) return;
    part("yes").disabled = true;
    waiting.submit();
  });
})();
