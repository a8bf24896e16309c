// Counts down the reservation by the server's time, offers more time, pays once, and asks the bank again.
(() => {
  const live = document.getElementById("live");
  const say = (text) => { if (live) live.textContent = text; };

  const pay = document.getElementById("pay");
  pay?.addEventListener("submit", (event) => {
    const button = pay.querySelector("button");
    if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
    button.setAttribute("aria-disabled", "true");
  });
  // Back may bring a step from the browser's memory: what it shows may be paid by now.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  const again = document.getElementById("again");
  if (again) {
    setInterval(async () => {
      try {
        const response = await fetch(again.action, { method: "POST", body: new FormData(again), headers: { Accept: "application/json" } });
        const { url } = await response.json();
        if (url) location.assign(url);
      } catch { /* the next try may succeed */ }
    }, Number(again.dataset.poll));
  }

  const timer = document.getElementById("timer");
  if (!timer) return;
  const words = timer.dataset;
  const offset = Number(words.now) * 1000 - Date.now();
  let end = Number(words.end) * 1000;
  const left = document.getElementById("left");
  const plain = document.getElementById("plain");
  const ticking = document.getElementById("ticking");
  const hide = document.getElementById("hide");
  const dialog = document.getElementById("more");
  let told = Infinity;
  let asked = false;
  let over = false;

  const stored = () => { try { return localStorage.getItem("timer") === "hidden"; } catch { return false; } };
  const show = (hidden) => {
    ticking.hidden = hidden;
    plain.hidden = true;
    hide.textContent = hidden ? words.show : words.hide;
    try { localStorage.setItem("timer", hidden ? "hidden" : "shown"); } catch { /* then it is not remembered */ }
  };
  hide.hidden = false;
  hide.addEventListener("click", () => show(!ticking.hidden));
  show(stored());

  const tick = () => {
    const seconds = Math.max(0, Math.round((end - Date.now() - offset) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    for (const minute of [5, 2, 1]) {
      if (seconds <= minute * 60 && seconds > minute * 60 - 30 && told > minute) {
        told = minute;
        if (minute > 1) say(`${minute} ${words.left}`);
        else if (!dialog) say(`1 ${words.leftOne}`);
      }
    }
    if (dialog && seconds <= 60 && seconds > 0 && !asked && document.getElementById("renew")) {
      asked = true;
      dialog.showModal();
    }
    if (seconds === 0 && !over) {
      over = true;
      dialog?.close();
      timer.hidden = true;
      const expired = document.getElementById("expired");
      expired.hidden = false;
      if (!document.activeElement?.matches("input, select")) expired.focus();
      say(words.over);
    }
  };
  tick();
  setInterval(tick, 1000);

  const renew = async (event) => {
    event.preventDefault();
    const form = document.getElementById("renew");
    try {
      const response = await fetch(words.url, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
      const said = await response.json();
      if (response.ok) {
        end = Date.now() + offset + said.seconds * 1000;
        told = Infinity;
        asked = false;
        tick();
      }
      say(said.message);
    } catch {
      say(words.failed);
    }
    dialog?.close();
  };
  document.querySelector("#renew button")?.addEventListener("click", renew);
  dialog?.querySelector("[data-renew]").addEventListener("click", renew);
  dialog?.querySelector("[data-close]").addEventListener("click", () => dialog.close());
})();
