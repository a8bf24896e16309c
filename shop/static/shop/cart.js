// Saves quantities by itself, drops answers that came too late, and puts things right when the network fails.
(() => {
  const root = () => document.getElementById("cart");
  const WAIT = 300;
  const timers = new WeakMap();
  const rowOf = (element) => element.closest("li.row");
  const field = (row) => row.querySelector(".set input[name=quantity]");
  const isDirty = (row) => timers.has(row);

  const save = (row) => {
    clearTimeout(timers.get(row));
    timers.delete(row);
    const input = field(row);
    if (input && /^\d{1,6}$/.test(input.value.trim())) input.form.requestSubmit();
  };
  const later = (row) => {
    clearTimeout(timers.get(row));
    timers.set(row, setTimeout(() => save(row), WAIT));
    row.classList.add("busy");
    document.getElementById("summary")?.classList.add("busy");
  };

  // − and + change the number at once and are sent together, however fast they are pressed.
  document.addEventListener("submit", (event) => {
    const step = event.target.dataset.step;
    if (step) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.submitter?.getAttribute("aria-disabled") === "true" && !isDirty(rowOf(event.target))) return;
      const row = rowOf(event.target);
      const input = field(row);
      input.value = Math.max(0, (parseInt(input.value, 10) || 0) + Number(step));
      later(row);
    } else if (event.target.matches("form.set")) {
      clearTimeout(timers.get(rowOf(event.target)));
      timers.delete(rowOf(event.target));
    }
  }, true);
  document.addEventListener("input", (event) => {
    if (event.target.matches(".set input[name=quantity]")) later(rowOf(event.target));
  });

  // Every change goes with the version that the page shows now, not the one that its row was drawn from.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.parameters.v !== undefined) event.detail.parameters.v = root().dataset.version;
  });

  // An answer older than the page, or one that would overwrite what is being typed, is not shown.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    const version = Number(xhr.getResponseHeader("Cart-Version") || 0);
    const row = target?.closest?.("li.row");
    if ((version && version < Number(root().dataset.version)) || (row && isDirty(row))) {
      event.detail.shouldSwap = false;
      return;
    }
    if (version) root().dataset.version = version;
  });
  document.addEventListener("htmx:afterSettle", () => {
    document.getElementById("summary")?.classList.remove("busy");
    document.documentElement.classList.toggle("has-bar", !!document.querySelector("#bar.bar"));
  });

  // Not saved: the old number comes back, with a sentence beside it.
  const failed = (event) => {
    const row = rowOf(event.detail.elt);
    document.getElementById("summary")?.classList.remove("busy");
    const text = root().dataset.failed;
    document.getElementById("live").textContent = text;
    if (!row) return;
    row.classList.remove("busy");
    const input = field(row);
    if (input) input.value = input.defaultValue;
    const error = row.querySelector(".flags .err");
    if (error) {
      error.textContent = text;
      error.hidden = false;
    }
  };
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(name, failed);
})();
