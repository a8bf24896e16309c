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
const notices = (lines) => {
  const box = byId("notices");
  const acked = new Set(kept("cart_ack"));
  const told = lines.flatMap((line) => {
    const price = isSold(line) && priceWords(line, false);
    return [stockWords(line, false), price].filter((one) => one?.id && !acked.has(one.id)).map((one) => ({ ...one, line }));
  });
  const damaged = kept("cart_damaged");
  const shown = [];
  if (isLost) {
    const lost = make("div", "notice bad inline");
    lost.append(make("p", "", words.failed), button(words.again, load));
    shown.push(lost);
  }
  if (told.length || damaged.length) {
    const section = make("section", "notice warn");
    section.setAttribute("aria-labelledby", "digest-heading");
    const number = told.length + (damaged.length ? 1 : 0);
    const heading = make("h2", "", say(number === 1 ? words.oneChanged : words.changed, { count: number }));
    heading.id = "digest-heading";
    const ul = make("ul", "");
    if (damaged.length) ul.append(make("li", "", say(words.damaged, { names: damaged.map((name) => name || words.unknown).join(", ") })));
    for (const one of told) {
      const li = make("li", "");
      const a = make("a", "", (one.text.startsWith(titleOf(one.line)) ? "" : `${titleOf(one.line)}: `) + one.text);
      a.href = `#line-${safe(one.line.sku_id)}`;
      li.append(a);
      ul.append(li);
    }
    section.append(heading, ul, button(words.gotIt, () => acknowledge(told)));
    shown.push(section);
  }
  box.replaceChildren(...shown);
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
