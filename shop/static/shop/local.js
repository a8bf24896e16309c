// A guest's cart that stays in the browser: two lists in localStorage, the number in the header, the handing over.
// The cart page has it, other pages fetch it (kept.js), with client/adding.js.
(() => {
  const shop = window.shop;
  if (shop.local) return;
  const words = shop.words || document.currentScript.dataset;
  const NAMED = 20;
  const [MOST, LINES, SAVED] = words.limits.split(" ").map(Number);
  const say = (text, facts) => text.replace(/\{(\w+)\}/g, (_all, name) => facts[name]);
  const get = (key) => {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return undefined;
    }
  };
  // Anybody may write into the storage: what is no array counts as an empty one.
  const list = (key) => [get(key)].flatMap((found) => (Array.isArray(found) ? found : []));
  const set = (key, value) => {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  };
  const isLine = (line) => typeof line?.sku_id === "string" && /^[^,\s]{1,64}$/.test(line.sku_id)
    && Number.isInteger(line.quantity) && line.quantity > 0 && line.quantity <= MOST
    && (line.price_at_add === null || (Number.isInteger(line.price_at_add) && line.price_at_add >= 0))
    && !Number.isNaN(Date.parse(line.added_at));

  // Reads one of the lists: good lines stay, the others are taken out and named until that was read.
  const read = (key) => {
    let raw = null;
    try {
      raw = localStorage.getItem(key);
    } catch { /* storage is blocked: nothing is kept */ }
    if (raw === null) return [];
    const all = get(key);
    const found = list(key);
    const known = new Set();
    const good = found.filter((line) => isLine(line) && !known.has(line.sku_id) && known.add(line.sku_id))
      .slice(0, key === "cart" ? LINES : SAVED);
    if (!Array.isArray(all) || good.length < found.length) {
      const bad = found.filter((line) => !good.includes(line)).map((line) => (typeof line?.sku_id === "string" ? line.sku_id.slice(0, 64) : ""));
      set("cart_damaged", [...list("cart_damaged"), ...(bad.length ? bad : [""])].slice(0, NAMED));
      set(key, good);
    }
    return good;
  };
  const count = (lines) => lines.reduce((sum, line) => sum + line.quantity, 0);
  const canKeep = () => {
    try {
      localStorage.setItem("cart_probe", "1");
      localStorage.removeItem("cart_probe");
      return true;
    } catch {
      return false;
    }
  };
  // Once there is a cart on the server, everything goes there.
  const isOn = () => shop.cookie("cart_n") === undefined && canKeep();

  // Hands both lists over under an id that is kept until there was an answer: a lost one costs nothing.
  const adopt = async () => {
    const begun = get("cart_merge");
    const pending = Array.isArray(begun?.items) && Array.isArray(begun.saved) ? begun : { merge_id: crypto.randomUUID?.() || String(Math.random()).slice(2), items: read("cart"), saved: read("cart_saved") };
    if (!pending.items.length && !pending.saved.length) return { changed: false };
    set("cart_merge", pending);
    const body = new FormData();
    body.set("items", JSON.stringify(pending.items));
    body.set("saved", JSON.stringify(pending.saved));
    body.set("merge_id", pending.merge_id);
    const response = await fetch(words.adopt, { method: "POST", body });
    const said = await response.json();
    if (!response.ok) {
      if (response.status === 422) set("cart_merge", null);
      return { message: said.message };
    }
    if (get("cart_merge")?.merge_id === pending.merge_id) {
      // What was added since stays.
      for (const [key, given] of [["cart", pending.items], ["cart_saved", pending.saved]]) {
        const rest = read(key).map((line) => ({ ...line, quantity: line.quantity - (given.find((one) => one.sku_id === line.sku_id)?.quantity || 0) }))
          .filter((line) => line.quantity > 0);
        set(key, rest.length ? rest : null);
      }
      for (const key of ["cart_merge", "cart_undo", "cart_ack", "cart_damaged"]) set(key, null);
    }
    shop.draw();
    return said;
  };

  shop.units = () => (isOn() ? count(read("cart")) : Number(shop.cookie("cart_n") || 0));
  shop.local = { MOST, LINES, SAVED, adopt, count, get, isOn, list, read, say, set, words };
  shop.draw();
  addEventListener("storage", () => shop.draw());
  const cart = document.querySelector("[data-adopts]");
  if ((cart || shop.cookie("cart_n") !== undefined) && (get("cart_merge") || read("cart").length || read("cart_saved").length)) {
    adopt().then((said) => {
      if (cart && !said.message) location.reload();
    }).catch(() => { /* the next page tries again */ });
  }
})();
