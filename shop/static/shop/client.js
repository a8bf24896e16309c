// The cart page of a cart that stays in the browser: drawn at once, filled by one call for all SKUs.
(() => {
  const { local, draw } = window.shop;
  const { read, set, list: kept, say, count, MOST, LINES, SAVED } = local;
  const byId = (id) => document.getElementById(id);
  const words = JSON.parse(byId("words").textContent);
  const facts = JSON.parse(byId("facts").textContent);
  const KEPT = 86_400_000;
  const WAIT = 300;
  const format = new Intl.NumberFormat(facts.locale, { style: "currency", currency: facts.currency });
  const scale = 10 ** format.resolvedOptions().maximumFractionDigits;
  const money = (minor) => format.format(minor / scale);
  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const live = (text) => { byId("live").textContent = text; };
  const safe = (sku) => sku.replace(/[^A-Za-z0-9-]/g, (sign) => `_${sign.codePointAt(0).toString(16)}_`);

  let skus = null; // Map of what the shop says, null before it said anything
  let isLost = false;
  const wrong = new Map();
  const rows = new Map();
  const gone = () => kept("cart_undo").filter((one) => one?.line?.sku_id && Date.now() - one.at < KEPT);

  const titleOf = (line) => skus?.get(line.sku_id)?.title || line.sku_id;
  const priceOf = (line) => skus?.get(line.sku_id)?.price?.amount ?? null;
  const isSold = (line) => !skus || priceOf(line) !== null;
  const thereOf = (line) => (skus ? skus.get(line.sku_id)?.availability?.buyable ?? 0 : MOST);
  const total = (lines) => lines.reduce((sum, line) => sum + (priceOf(line) ?? 0) * line.quantity, 0);

  const button = (text, act, className = "btn") => {
    const made = make("button", className, text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  };

  // ---- what is said of a line
  const priceWords = (line, isSaved) => {
    const now = priceOf(line);
    const was = line.price_at_add;
    if (now === null || was === null || now === was) return null;
    const kind = now > was ? "up" : "down";
    const facts_ = { difference: money(Math.abs(now - was)), was: money(was), now: money(now) };
    return { kind: now > was ? "warn" : "good", id: `price_${kind}:${now}:${line.sku_id}`, text: say(words[isSaved ? `saved${kind === "up" ? "Up" : "Down"}` : kind], facts_) };
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

  // ---- one row
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
      timer = undefined;
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
    const title = titleOf(line);
    const sku = skus?.get(line.sku_id);
    const id = safe(line.sku_id);
    const link = li.querySelector("h3 a");
    link.textContent = title;
    link.href = sku?.url || "/";
    if (sku?.image && li.firstElementChild.className === "ph") {
      const image = Object.assign(document.createElement("img"), { src: sku.image, alt: "", width: 96, height: 96 });
      li.firstElementChild.replaceWith(image);
    }
    const price = priceOf(line);
    li.querySelector(".each").textContent = price === null ? "\u00a0" : say(words.each, { price: money(price) });
    li.querySelector(".sum").textContent = price === null ? "\u00a0" : money(isSaved ? price : price * line.quantity);
    const stock = stockWords(line, isSaved);
    const flags = li.querySelector(".flags");
    flags.replaceChildren();
    if (isSaved) {
      const shown = li.querySelector(".count");
      shown.hidden = false;
      shown.textContent = say(words.count, { count: line.quantity });
      li.querySelector("[data-do=move]").hidden = !isSold(line) || thereOf(line) <= 0;
      li.querySelector("[data-do=move]").setAttribute("aria-label", say(words.move, { title }));
      li.querySelector("[data-do=remove]").setAttribute("aria-label", say(words.unsave, { title }));
    } else {
      const input = li.querySelector("input");
      const error = wrong.get(line.sku_id);
      li.querySelector(".qty").hidden = li.querySelector("[data-do=save]").hidden = !isSold(line);
      li.querySelector(".qty").setAttribute("aria-label", say(words.quantity, { title }));
      input.setAttribute("aria-label", say(words.quantity, { title }));
      if (error === undefined) input.value = line.quantity;
      input.toggleAttribute("aria-invalid", false);
      for (const name of ["minus", "plus", "save", "remove"]) li.querySelector(`[data-do=${name}]`).setAttribute("aria-label", say(words[name], { title }));
      const most = Math.min(MOST, Math.max(thereOf(line), 0));
      const isFull = isSold(line) && line.quantity >= most && thereOf(line) >= line.quantity;
      const plus = li.querySelector("[data-do=plus]");
      plus.toggleAttribute("aria-disabled", false);
      plus.removeAttribute("aria-describedby");
      if (error !== undefined) {
        const text = make("p", "err", error);
        text.id = `error-${id}`;
        flags.append(text);
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-describedby", text.id);
      } else input.removeAttribute("aria-describedby");
      if (isFull) {
        const text = make("p", "flag", say(line.quantity >= MOST ? words.most : words.left, { count: most }));
        text.id = `limit-${id}`;
        flags.append(text);
        plus.setAttribute("aria-disabled", "true");
        plus.setAttribute("aria-describedby", text.id);
      }
    }
    if (stock) {
      const flag = make("div", "flag warn");
      flag.append(make("span", "", stock.text));
      if (stock.fix) flag.append(button(say(words.fix, { count: stock.fix }), () => store(line.sku_id, stock.fix)));
      flags.append(flag);
    }
    const price_ = isSold(line) && priceWords(line, isSaved);
    if (price_) flags.append(make("p", `flag ${price_.kind}`, price_.text));
  };
  const undoRow = (one) => {
    const li = make("li", "gone");
    const what = say(one.how === "saved" ? words.saved : one.how === "moved" ? words.moved : words.removed, { title: one.title });
    const undo = button(words.undo, () => bringBack(one));
    undo.id = `undo-${one.at}`;
    undo.setAttribute("aria-label", say(words.undoWhat, { what }));
    li.append(make("span", "", what), undo);
    return li;
  };

  // ---- the whole page
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
      const ul = document.createElement("ul");
      if (damaged.length) ul.append(make("li", "", say(words.damaged, { names: damaged.map((name) => name || words.unknown).join(", ") })));
      for (const one of told) {
        const li = document.createElement("li");
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
    const isKnown = skus !== null;
    byId("sum-total").textContent = isKnown ? money(total(lines)) : "\u00a0";
    byId("go").elements.shown_total.value = isKnown ? total(lines) : "";
    const names = isKnown ? lines.filter((line) => !isSold(line) || thereOf(line) < line.quantity).map(titleOf) : [];
    byId("blocked").hidden = !names.length;
    byId("blocked").textContent = say(words.blocked, { names: names.join("; ") });
    draw();
  };

  // ---- changes
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
      if (!held && others.length >= (other === "cart" ? LINES : SAVED)) return live(say(other === "cart" ? words.cartFull : words.full, { count: others.length }));
      if (held) held.quantity = Math.min(MOST, held.quantity + line.quantity);
      else others.push(line);
      if (!put(other, others)) return undefined;
    }
    wrong.delete(sku);
    const undo = { key, how, line, index, other, before, title: titleOf(line), at: Date.now() };
    put("cart_undo", [...gone().filter((one) => one.line.sku_id !== sku || one.key !== key), undo].slice(-5));
    put(key, lines);
    render();
    live(say(how === "saved" ? words.saved : how === "moved" ? words.moved : words.removed, { title: titleOf(line) }));
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
    const line = read("cart").find((one) => one.sku_id === sku);
    if (pressed.getAttribute("aria-disabled") === "true") return undefined;
    switch (what) {
      case "plus": return store(sku, line.quantity + 1);
      case "minus": return line.quantity > 1 ? store(sku, line.quantity - 1) : leave(sku, "cart", "removed");
      case "save": return leave(sku, "cart", "saved");
      case "move": return leave(sku, "cart_saved", "moved");
      default: return leave(sku, isSaved ? "cart_saved" : "cart", "removed");
    }
  };

  // ---- the shop's side
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
})();
