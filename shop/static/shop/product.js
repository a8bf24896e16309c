// Adds to the cart without leaving the page, and shows the picture of the chosen option.
(() => {
  const form = document.getElementById("buy");
  if (!form) return;
  const answer = document.getElementById("answer");
  const picture = document.getElementById("picture");
  form.addEventListener("change", (event) => {
    if (event.target.dataset.image) picture.src = event.target.dataset.image;
  });
  const say = (kind, text, link) => {
    const box = document.createElement("p");
    box.className = `notice ${kind}`;
    box.append(text);
    if (link) {
      const a = document.createElement("a");
      a.href = answer.dataset.cart;
      a.textContent = answer.dataset.view;
      box.append(" ", a);
    }
    answer.replaceChildren(box);
  };
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const url = event.submitter?.getAttribute("formaction") || form.action;
    const data = new FormData(form);
    const local = await window.shop?.load?.();
    if (local?.isOn()) {
      const chosen = form.querySelector("[name=sku_id]:checked, [name=sku_id][type=hidden]");
      const [isDone, text] = local.add(chosen, data.get("quantity"), event.submitter?.hasAttribute("formaction"));
      if (isDone !== undefined) {
        busy = false;
        return say(isDone ? "good" : "bad", text, isDone);
      }
    }
    data.set("op", Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(""));
    try {
      const response = await fetch(url, { method: "POST", body: data, headers: { Accept: "application/json" } });
      const said = await response.json();
      say(response.ok ? "good" : "bad", said.message, response.ok);
      window.shop?.draw();
    } catch {
      say("bad", answer.dataset.failed);
    }
    busy = false;
  });
})();
