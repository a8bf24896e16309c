// The page: drawn at once, filled by one call for all SKUs.
const rows = new Map();
let isLost = false;

const list = (ul, key, isSaved) => {
  const lines = read(key);
  const drawn = lines.map((line) => {
    const name = `${key} ${line.sku_id}`;
    if (!rows.has(name)) rows.set(name, shape(line, isSaved));
    fill(rows.get(name), line, isSaved);
    return rows.get(name);
  });
  for (const one of gone().filter((undone) => undone.key === key).reverse()) drawn.splice(Math.min(one.index, drawn.length), 0, undoRow(one));
  const focus = document.activeElement?.id;
  if (drawn.length !== ul.children.length || drawn.some((li, index) => li !== ul.children[index])) {
    ul.replaceChildren(...drawn);
    if (focus && document.activeElement?.id !== focus) byId(focus)?.focus();
  }
  return [lines, drawn.length];
};
// One line above the rows says how it stands; its room is there before that is known, and its list opens when asked.
let told = [];
const notices = (lines) => {
  const acked = new Set(kept("cart_ack"));
  const damaged = kept("cart_damaged");
  told = lines.flatMap((line) => [stockWords(line, false), priceWords(line)]
    .filter((one) => one?.id && !acked.has(one.id)).map((one) => ({ ...one, line })));
  const isTold = told.length > 0 && !isLost;
  byId("damaged").hidden = !damaged.length;
  byId("damaged-names").textContent = say(words.damaged, { names: damaged.map((name) => name || words.unknown).join(", ") });
  byId("standing").hidden = !lines.length && !isLost;
  byId("standing").className = `room ${isLost ? "notice bad" : isTold ? "notice warn" : "quiet"}`;
  byId("checked").textContent = isTold ? "" : isLost ? words.failed : skus ? words.checked : words.checking;
  byId("again").hidden = !isLost;
  byId("digest").hidden = byId("got-it").hidden = !isTold;
  byId("digest-heading").textContent = say(told.length === 1 ? words.oneChanged : words.changed, { count: told.length });
  byId("digest-list").replaceChildren(...told.map((one) => {
    const li = document.createElement("li");
    const title = titleOf(one.line);
    const textContent = (one.text.startsWith(title) ? "" : `${title}: `) + one.text;
    li.append(Object.assign(document.createElement("a"), { textContent, href: `#line-${safe(one.line.sku_id)}` }));
    return li;
  }));
};
const render = () => {
  const [lines, shown] = list(byId("lines"), "cart", false);
  const [saved, shownSaved] = list(byId("saved-lines"), "cart_saved", true);
  notices(lines);
  byId("items").hidden = !shown;
  byId("empty").hidden = lines.length > 0;
  byId("saved").hidden = !shownSaved;
  byId("saved-heading").textContent = say(words.savedHeading, { count: saved.length });
  byId("summary").hidden = !lines.length;
  byId("sum-items").textContent = say(words.items, { count: count(lines) });
  byId("sum-total").textContent = skus ? money(total(lines)) : "\u00a0";
  byId("go").elements.shown_total.value = skus ? total(lines) : "";
  const names = lines.filter((line) => !isSold(line) || thereOf(line) < line.quantity).map(titleOf);
  byId("blocked").hidden = !names.length;
  byId("blocked").textContent = say(words.blocked, { names: names.join("; ") });
  draw();
};

const load = async () => {
  const ids = [...new Set([...read("cart"), ...read("cart_saved"), ...gone().map((one) => one.line)].map((line) => line.sku_id))].sort();
  try {
    const found = new Map();
    for (let from = 0; from < ids.length; from += 100) {
      const response = await fetch(`/api/v1/skus?ids=${ids.slice(from, from + 100).map(encodeURIComponent).join(",")}`, { cache: "no-cache" });
      if (!response.ok) throw new Error(response.status);
      for (const sku of (await response.json()).items) found.set(sku.sku_id, sku);
    }
    skus = found;
    isLost = false;
  } catch {
    isLost = true;
  }
  render();
};
byId("again").addEventListener("click", load);
byId("got-it").addEventListener("click", () => acknowledge(told));
byId("understood").addEventListener("click", () => acknowledge([]));
byId("go").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const said = await local.adopt();
    if (said.message) live(said.message);
    else if (said.changed) location.reload();
    else event.target.submit();
  } catch {
    live(words.lost);
  }
});
addEventListener("storage", () => {
  render();
  if (skus && [...read("cart"), ...read("cart_saved")].some((line) => !skus.has(line.sku_id))) load();
});
addEventListener("pageshow", (event) => event.persisted && render());
render();
load();
