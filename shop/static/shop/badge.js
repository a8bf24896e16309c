// Shows the number of units in the header from the cookie `cart_n`, so that public pages need no request for it.
(() => {
  const badge = document.getElementById("badge");
  const cookie = (name) => (document.cookie.match(new RegExp(`(?:^|; )${name}=(\\d{1,17})(?:;|$)`)) || [])[1];
  const shop = window.shop = { cookie, units: () => Number(cookie("cart_n") || 0) };
  const draw = shop.draw = () => {
    if (!badge) return;
    const units = shop.units();
    badge.replaceChildren();
    if (!units) return;
    const seen = badge.appendChild(document.createElement("span"));
    seen.className = "badge";
    seen.setAttribute("aria-hidden", "true");
    seen.textContent = units > 99 ? "99+" : units;
    const said = badge.appendChild(document.createElement("span"));
    said.className = "vh";
    said.textContent = `, ${units} ${units === 1 ? badge.dataset.one : badge.dataset.many}`;
  };
  draw();
  // A page that Back brings from memory is corrected, another version of the cart loaded anew.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    draw();
    const cart = document.getElementById("cart");
    if (cart && (cookie("cart_v") || "0") !== cart.dataset.version) location.reload();
  });
})();
