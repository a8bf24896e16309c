// The cart page of a cart that stays in the browser: a line, and its row. rows.js, changes.js and page.js, in this order,
// share one scope.
const { local, draw } = window.shop;
const { count, list: kept, read, say, set, LINES, MOST, SAVED } = local;
const byId = (id) => document.getElementById(id);
const words = JSON.parse(byId("words").textContent);
const WAIT = 300;
const facts = JSON.parse(byId("facts").textContent);
const format = new Intl.NumberFormat(facts.locale, { style: "currency", currency: facts.currency });
const scale = 10 ** format.resolvedOptions().maximumFractionDigits;
const money = (minor) => format.format(minor / scale);
const KEPT = 86_400_000;
const gone = () => kept("cart_undo").filter((one) => one?.line?.sku_id && Date.now() - one.at < KEPT);
const safe = (sku) => sku.replace(/[^A-Za-z0-9-]/g, (sign) => `_${sign.codePointAt(0).toString(16)}_`);
const wrong = new Map(); // typed in, and no quantity
let skus = null; // Map of what the shop says, null before it said anything

const titleOf = (line) => skus?.get(line.sku_id)?.title || line.sku_id;
const priceOf = (line) => skus?.get(line.sku_id)?.price?.amount ?? null;
const isSold = (line) => !skus || priceOf(line) !== null;
const thereOf = (line) => (skus ? skus.get(line.sku_id)?.availability?.buyable ?? 0 : MOST);
const total = (lines) => lines.reduce((sum, line) => sum + (priceOf(line) ?? 0) * line.quantity, 0);
const priceWords = (line) => {
  const now = priceOf(line);
  const was = line.price_at_add;
  if (!isSold(line) || now === null || was === null || now === was) return null;
  const [way, kind] = now > was ? ["up", "warn"] : ["down", "good"];
  const facts_ = { difference: money(Math.abs(now - was)), was: money(was), now: money(now) };
  return { kind, id: `price_${way}:${now}:${line.sku_id}`, text: say(words[way], facts_), brief: say(words[`brief_${way}`], facts_) };
};
const stockWords = (line, isSaved) => {
  if (!skus) return null;
  if (!isSold(line)) return { id: `discontinued:0:${line.sku_id}`, text: say(words.gone, { title: titleOf(line) }) };
  const there = thereOf(line);
  const isReserved = skus.get(line.sku_id).availability.state === "reserved_by_others";
  if (isSaved) return there > 0 ? null : { text: isReserved ? words.reserved : words.outSaved };
  if (there >= line.quantity) return null;
  const text = there > 0 ? say(words.short, { count: there, have: line.quantity }) : isReserved ? words.reserved : words.out;
  return { id: `short:${there}:${line.sku_id}`, text, fix: there };
};

const label = (one, text) => one.setAttribute("aria-label", text);

const shape = (line, isSaved) => {
  const li = byId("row").content.firstElementChild.cloneNode(true);
  const id = safe(line.sku_id);
  li.id = `${isSaved ? "saved" : "line"}-${id}`;
  li.dataset.sku = line.sku_id;
  for (const one of li.querySelectorAll(isSaved ? ".qty,[data-do=save],[data-do=fix]" : "[data-do=move]")) one.remove();
  const input = li.querySelector("input");
  if (input) input.id = `quantity-${id}`;
  for (const one of li.querySelectorAll("[data-do]")) {
    one.id = `${one.dataset.do}-${isSaved ? "saved-" : ""}${id}`;
    one.addEventListener("click", () => act(one.dataset.do, line.sku_id, isSaved, one));
  }
  let timer;
  const save = () => {
    clearTimeout(timer);
    typed(line.sku_id, input.value);
  };
  input?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(save, WAIT);
  });
  input?.form?.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  return li;
};
// What the shop tells later goes where there is room from the start: no row grows when prices and stock come.
const fill = (li, line, isSaved) => {
  const at = (what) => li.querySelector(what);
  const does = (name) => at(`[data-do=${name}]`);
  const id = safe(line.sku_id);
  const title = titleOf(line);
  const sku = skus?.get(line.sku_id);
  const price = priceOf(line);
  const there = thereOf(line);
  const stock = stockWords(line, isSaved);
  const changed = priceWords(line);
  const isFull = !isSaved && isSold(line) && there >= line.quantity && line.quantity >= Math.min(MOST, there);
  const link = at("h3 a");
  link.textContent = title;
  link.href = sku?.url || "/";
  if (sku?.image) at(".ph")?.replaceWith(Object.assign(document.createElement("img"), { src: sku.image, alt: "", width: 96, height: 96 }));
  const told = at(".told");
  told.id = `told-${isSaved ? "saved-" : ""}${id}`;
  told.dataset.kind = stock ? "warn" : changed?.kind || "";
  told.textContent = stock ? stock.text : price === null ? "" : [
    say(words.each, { price: money(price) }),
    changed?.brief,
    isFull && say(line.quantity >= MOST ? words.most : words.left, { count: Math.min(MOST, there) }),
  ].filter(Boolean).join(" · ");
  at(".sum").textContent = price === null ? "\u00a0" : money(isSaved ? price : price * line.quantity);
  if (isSaved) {
    at(".count").hidden = false;
    at(".count").textContent = say(words.count, { count: line.quantity });
    does("move").hidden = !isSold(line) || there <= 0;
    label(does("move"), say(words.move, { title }));
    label(does("remove"), say(words.unsave, { title }));
    return;
  }
  const input = at("input");
  const plus = does("plus");
  const error = wrong.get(line.sku_id);
  at(".qty").hidden = does("save").hidden = !isSold(line);
  for (const one of [at(".qty"), input]) label(one, say(words.quantity, { title }));
  for (const name of ["minus", "plus", "save", "remove"]) label(does(name), say(words[name], { title }));
  for (const one of [input, plus]) for (const name of ["invalid", "disabled", "describedby"]) one.removeAttribute(`aria-${name}`);
  const described = (one, state, by) => {
    one.setAttribute(state, "true");
    one.setAttribute("aria-describedby", by);
  };
  at(".err").textContent = error || "";
  at(".err").id = `error-${id}`;
  if (error) described(input, "aria-invalid", `error-${id}`);
  else input.value = line.quantity;
  if (isFull) described(plus, "aria-disabled", told.id);
  does("fix").hidden = !stock?.fix;
  does("fix").textContent = say(words.fix, { count: there });
};
const undoRow = (one) => {
  const li = byId("gone").content.firstElementChild.cloneNode(true);
  const what = say(words[one.how], one);
  const undo = li.lastElementChild;
  li.firstElementChild.textContent = what;
  undo.id = `undo-${one.at}`;
  label(undo, say(words.undoWhat, { what }));
  undo.addEventListener("click", () => bringBack(one));
  return li;
};
