// Counts a cart that stays in the browser, and fetches all else about it once needed.
(() => {
  const { shop } = window;
  const { units } = shop;
  const words = shop.words = document.currentScript.dataset;
  const get = (key) => {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null; // blocked
    }
  };
  shop.load = async () => {
    await Promise.all(shop.adding ? [] : words.rest.split(" ").map((src) => new Promise((done) => {
      document.head.append(Object.assign(document.createElement("script"), { src, async: false, onload: done, onerror: done }));
    })));
    return shop.adding;
  };
  shop.units = () => (shop.cookie("cart_n") ? units() : [get("cart")].flat().reduce((sum, line) => sum + (line?.quantity > 0 && line.quantity | 0), 0));
  addEventListener("storage", shop.draw);
  shop.draw();
  if ((shop.cookie("cart_n") || document.querySelector("[data-adopts]")) && ["cart_merge", "cart", "cart_saved"].some(get)) shop.load();
})();
