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
const priceWords = (line, isSaved) => {
  const now = priceOf(line);
  const was = line.price_at_add;
  if (now === null || was === null || now === was) return null;
  const [way, kind] = now > was ? ["up", "warn"] : ["down", "good"];
  const text = say(words[isSaved ? `saved_${way}` : way], { difference: money(Math.abs(now - was)), was: money(was), now: money(now) });
  return { kind, id: `price_${way}:${now}:${line.sku_id}`, text };
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

const make = (tag, className, textContent = "") => Object.assign(document.createElement(tag), { className, textContent });
const button = (text, act) => {
  const made = Object.assign(make("button", "btn", text), { type: "button" });
  made.addEventListener("click", act);
  return made;
};
const label = (one, text) => one.setAttribute("aria-label", text);

const shape = (line, isSaved) => {
  const li = byId("row").content.firstElementChild.cloneNode(true);
  const id = safe(line.sku_id);
  li.id = `${isSaved ? "saved" : "line"}-${id}`;
  li.dataset.sku = line.sku_id;
  const input = li.querySelector("input");
  if (isSaved) {
    li.querySelector(".qty").remove();
    li.querySelector("[data-do=save]").remove();
  } else {
    li.querySelector("[data-do=move]").remove();
    input.id = `quantity-${id}`;
  }
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
const fill = (li, line, isSaved) => {
  const at = (what) => li.querySelector(what);
  const does = (name) => at(`[data-do=${name}]`);
  const title = titleOf(line);
  const sku = skus?.get(line.sku_id);
  const price = priceOf(line);
  const there = thereOf(line);
  const flags = at(".flags");
  const flag = (kind, text, id) => {
    const made = make("p", kind, text);
    if (id) made.id = `${id}-${safe(line.sku_id)}`;
    flags.append(made);
    return made;
  };
  flags.replaceChildren();
  const link = at("h3 a");
  link.textContent = title;
  link.href = sku?.url || "/";
  if (sku?.image) at(".ph")?.replaceWith(Object.assign(make("img", ""), { src: sku.image, alt: "", width: 96, height: 96 }));
  at(".each").textContent = price === null ? "\u00a0" : say(words.each, { price: money(price) });
  at(".sum").textContent = price === null ? "\u00a0" : money(isSaved ? price : price * line.quantity);
  if (isSaved) {
    at(".count").hidden = false;
    at(".count").textContent = say(words.count, { count: line.quantity });
    does("move").hidden = !isSold(line) || there <= 0;
    label(does("move"), say(words.move, { title }));
    label(does("remove"), say(words.unsave, { title }));
  } else {
    const input = at("input");
    const plus = does("plus");
    const error = wrong.get(line.sku_id);
    at(".qty").hidden = does("save").hidden = !isSold(line);
    for (const one of [at(".qty"), input]) label(one, say(words.quantity, { title }));
    for (const name of ["minus", "plus", "save", "remove"]) label(does(name), say(words[name], { title }));
    for (const one of [input, plus]) for (const name of ["invalid", "disabled", "describedby"]) one.removeAttribute(`aria-${name}`);
    const described = (one, state, text) => {
      one.setAttribute(state, "true");
      one.setAttribute("aria-describedby", text.id);
    };
    if (error) described(input, "aria-invalid", flag("err", error, "error"));
    else input.value = line.quantity;
    const most = Math.min(MOST, there);
    if (isSold(line) && line.quantity >= most && there >= line.quantity) described(plus, "aria-disabled", flag("flag", say(line.quantity >= MOST ? words.most : words.left, { count: most }), "limit"));
  }
  const stock = stockWords(line, isSaved);
  if (stock) {
    const told = flag("flag warn", stock.text);
    if (stock.fix) told.append(button(say(words.fix, { count: stock.fix }), () => store(line.sku_id, stock.fix)));
  }
  const changed = isSold(line) && priceWords(line, isSaved);
  if (changed) flag(`flag ${changed.kind}`, changed.text);
};
const undoRow = (one) => {
  const li = make("li", "gone");
  const what = say(words[one.how], one);
  const undo = button(words.undo, () => bringBack(one));
  undo.id = `undo-${one.at}`;
  label(undo, say(words.undoWhat, { what }));
  li.append(make("span", "", what), undo);
  return li;
};
