// Counts a cart that stays in the browser, and fetches local.js, all else about it, once needed.
(() => {
  const { shop } = window;
  const { units } = shop;
  const words = shop.words = document.currentScript.dataset;
  const get = (key) => {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null; // blocked, damaged
    }
  };
  shop.load = () => shop.local || new Promise((done) => {
    const onload = () => done(shop.local);
    document.head.append(Object.assign(document.createElement("script"), { src: words.rest, onload, onerror: onload }));
  });
  shop.units = () => (shop.cookie("cart_n") ? units() : [get("cart")].flat().reduce((sum, line) => sum + (line?.quantity > 0 && line.quantity | 0), 0));
  addEventListener("storage", shop.draw);
  shop.draw();
  if ((shop.cookie("cart_n") || document.querySelector("[data-adopts]")) && ["cart_merge", "cart", "cart_saved"].some(get)) shop.load();
})();
