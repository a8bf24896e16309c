// Lets people see the password that they type.
(() => {
  const words = document.currentScript.dataset;
  for (const input of document.querySelectorAll("input[type=password]")) {
    const row = document.createElement("div");
    row.className = "reveal";
    input.before(row);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-controls", input.id);
    button.textContent = words.show;
    row.append(input, button);
    button.addEventListener("click", () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    });
  }
})();
