// A guest's cart that stays in the browser: a product page puts something into it.
(() => {
  const { draw, local } = window.shop;
  const { count, read, say, set, words, LINES, MOST, SAVED } = local;

  // Adds what a product form says; gives whether it was done and a sentence, or nothing if the server has to do it.
  const add = (chosen, typed, isSaved) => {
    const quantity = /^\d{1,4}$/.test(typed.trim()) ? Number(typed) : 0;
    if (!quantity) return [false, say(words.wrong, { count: MOST })];
    const key = isSaved ? "cart_saved" : "cart";
    const lines = read(key);
    const line = lines.find((one) => one.sku_id === chosen.value);
    const wanted = (isSaved ? 0 : line?.quantity || 0) + quantity;
    if (wanted > MOST) return [false, say(words.most, { count: MOST })];
    if (!line && lines.length >= (isSaved ? SAVED : LINES)) return [false, say(words.full, { count: lines.length })];
    if (line) line.quantity = wanted;
    else {
      const price = chosen.dataset.price;
      lines.push({ sku_id: chosen.value, quantity, price_at_add: price ? Number(price) : null, added_at: new Date().toISOString() });
    }
    try {
      set(key, lines);
    } catch {
      return [];
    }
    draw();
    const title = chosen.dataset.title;
    if (isSaved) return [true, say(words.saved, { title })];
    const units = count(lines);
    return [true, `${say(words.added, { title })} ${say(units === 1 ? words.one : words.many, { count: units })}`];
  };
  window.shop.adding = { add, isOn: local.isOn };
})();
