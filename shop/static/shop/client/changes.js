// What the buttons do to the lists, and how it is taken back.
const live = (text) => { byId("live").textContent = text; };
const put = (key, lines) => {
  try {
    set(key, lines.length ? lines : null);
    return true;
  } catch {
    live(words.lost);
    return false;
  }
};
let saying;
const store = (sku, quantity) => {
  const lines = read("cart");
  const line = lines.find((one) => one.sku_id === sku);
  if (!line) return render();
  wrong.delete(sku);
  const most = skus && isSold(line) ? Math.min(thereOf(line), MOST) : MOST;
  line.quantity = Math.max(1, quantity > line.quantity ? Math.max(line.quantity, Math.min(quantity, most)) : quantity);
  if (!put("cart", lines)) return undefined;
  render();
  // Fast taps are one announcement.
  clearTimeout(saying);
  saying = setTimeout(() => live(say(words.set, { title: titleOf(line), count: line.quantity, total: money(total(read("cart"))) })), WAIT);
  return undefined;
};
const typed = (sku, text) => {
  if (!/^\d{1,6}$/.test(text.trim()) || Number(text) > MOST) {
    wrong.set(sku, say(words.wrong, { count: MOST }));
    return render();
  }
  return Number(text) ? store(sku, Number(text)) : leave(sku, "cart", "removed");
};
const leave = (sku, key, how) => {
  const lines = read(key);
  const index = lines.findIndex((one) => one.sku_id === sku);
  if (index < 0) return render();
  const [line] = lines.splice(index, 1);
  const other = how === "saved" ? "cart_saved" : how === "moved" ? "cart" : "";
  let before = null;
  if (other) {
    const others = read(other);
    const held = others.find((one) => one.sku_id === sku);
    before = held ? held.quantity : 0;
    if (!held && others.length >= (other === "cart" ? LINES : SAVED)) return live(say(words[`${other}_full`], { count: others.length }));
    if (held) held.quantity = Math.min(MOST, held.quantity + line.quantity);
    else others.push(line);
    if (!put(other, others)) return undefined;
  }
  wrong.delete(sku);
  const undo = { key, how, line, index, other, before, title: titleOf(line), at: Date.now() };
  put("cart_undo", [...gone().filter((one) => one.line.sku_id !== sku || one.key !== key), undo].slice(-5));
  put(key, lines);
  render();
  live(say(words[how], { title: titleOf(line) }));
  byId(`undo-${undo.at}`)?.focus();
  return undefined;
};
const bringBack = (one) => {
  const lines = read(one.key);
  if (!lines.some((line) => line.sku_id === one.line.sku_id)) lines.splice(Math.min(one.index, lines.length), 0, one.line);
  if (one.other) {
    const others = read(one.other);
    const held = others.find((line) => line.sku_id === one.line.sku_id);
    if (held) held.quantity = one.before;
    put(one.other, others.filter((line) => line.quantity > 0));
  }
  put(one.key, lines);
  put("cart_undo", gone().filter((other) => other.at !== one.at));
  render();
  live(say(one.key === "cart" ? words.undone : words.back, { title: one.title }));
  byId(`${one.key === "cart" ? "line" : "saved"}-${safe(one.line.sku_id)}`)?.querySelector("h3 a").focus();
};
const acknowledge = (told) => {
  put("cart_ack", [...new Set([...kept("cart_ack"), ...told.map((one) => one.id)])].slice(-300));
  set("cart_damaged", null);
  const over = new Set(told.filter((one) => one.id.startsWith("discontinued:")).map((one) => one.line.sku_id));
  put("cart", read("cart").filter((line) => !over.has(line.sku_id)));
  render();
  live(words.cleared);
  byId("cart-heading").focus();
};
const act = (what, sku, isSaved, pressed) => {
  if (pressed.hasAttribute("aria-disabled")) return undefined;
  const line = read("cart").find((one) => one.sku_id === sku);
  const quantity = line && { plus: line.quantity + 1, minus: line.quantity - 1, fix: thereOf(line) }[what];
  if (quantity > 0) return store(sku, quantity);
  return leave(sku, isSaved ? "cart_saved" : "cart", { save: "saved", move: "moved" }[what] || "removed");
};
