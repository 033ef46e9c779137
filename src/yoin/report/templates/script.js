"use strict";
// Everything from the data enters the page as text or as an attribute of a known kind, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dialog = document.getElementById("detail");
  const PAGE = 60, LARGEST = 12, SVG = "http://www.w3.org/2000/svg";

  function add(parent, children) {
    for (const child of children) if (child !== null && child !== undefined) parent.append(child);
    return parent;
  }
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") node.addEventListener("click", value);
      else node.setAttribute(name, value);
    }
    return add(node, children);
  }
  function draw(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return add(node, children);
  }
  function number(value, further = 0) {
    if (value === null || value === undefined) return "–";
    const places = data.decimals + further;
    const text = data.decimals < 0 ? value.toExponential(2)
      : value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
    return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace(/^-/, "−");
  }
  // What a piece of a caption adds is small beside the metric: one place more.
  const signed = (value) => { const text = number(value, 1); return /^[−–]/.test(text) || /^[0.,]*$/.test(text) ? text : "+" + text; };
  const nameOf = (row) => data.label[row] || "Row " + data.id[row];
  // On a card the end of a path or an address tells more than its beginning.
  const shortName = (row) => /^https?:|\.[a-z0-9]{2,5}$/i.test(nameOf(row)) ? nameOf(row).split(/[\\/]/).pop() || nameOf(row) : nameOf(row);
  const isText = (value) => el("span", { dir: "auto" }, value);

  function picture(row, alt) {
    const thumb = data.thumb[row];
    return thumb < 0 ? el("span", {}, "no picture") : el("img", { src: data.thumbs[thumb], alt: alt, decoding: "async" });
  }

  // Says that the picture stands for a video, and how long that is.
  function lengthOf(row) {
    const video = data.videos[row];
    return video ? el("span", { class: "length" }, el("span", { "aria-hidden": "true" }, "▶ "), el("span", { class: "hidden" }, "Video, "), video.length) : null;
  }

  function shot(row, order) {
    const button = el("button", { type: "button", class: "shot", onclick: () => show(row, order) });
    if (data.images) button.append(el("span", { class: "frame" }, picture(row, ""), lengthOf(row)));
    button.append(el("span", { class: "name", dir: "auto", title: nameOf(row) }, shortName(row)));
    if (!data.images) button.append(el("span", { class: "text", dir: "auto" }, data.caption[row]));
    button.append(el("span", {}, el("b", {}, number(data.actual[row]))));
    if (data.predicted[row] !== null) button.append(el("span", { class: "quiet" }, "predicted " + number(data.predicted[row])));
    return button;
  }

  // ---- drivers: sorting and opening ------------------------------------------------------------
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!head.dataset.sort) return;
      const button = el("button", { type: "button", onclick: () => sort(column) }, head.textContent);
      head.replaceChildren(button);
    });
    function sort(column) {
      const head = heads[column], now = head.getAttribute("aria-sort");
      const first = head.dataset.first || (head.dataset.sort === "text" ? "ascending" : "descending");
      const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", next);
      const way = next === "ascending" ? 1 : -1, text = head.dataset.sort === "text";
      const rows = [...table.tBodies[0].rows].filter((row) => row.dataset.driver !== undefined);
      const keyed = rows.map((row) => ({ row, key: row.cells[column].dataset.value }));
      keyed.sort((a, b) => {
        if (a.key === undefined || b.key === undefined) return (a.key === undefined) - (b.key === undefined);
        return way * (text ? a.key.localeCompare(b.key, "en") : Number(a.key) - Number(b.key));
      });
      for (const { row } of keyed) {
        const inside = document.getElementById("inside-" + row.dataset.driver);
        table.tBodies[0].append(row);
        if (inside) table.tBodies[0].append(inside);
      }
    }
  }

  function openable(row) {
    const driver = Number(row.dataset.driver);
    const old = row.querySelector(".concept");
    const button = el("button", { type: "button", class: "concept", "aria-expanded": "false", "aria-controls": "inside-" + driver,
      onclick: () => toggle(driver) }, old.textContent);
    old.replaceWith(button);
  }
  // A narrow screen does not show every column: the opened row tells what the hidden ones say.
  function further(row) {
    const list = el("dl", { class: "further" });
    for (const cell of row.querySelectorAll(".second")) {
      list.append(el("dt", {}, cell.dataset.head), el("dd", {}, ...[...cell.childNodes].map((node) => node.cloneNode(true))));
    }
    return list.childElementCount ? list : null;
  }
  // Browsers forget that a table is one where its rows are laid out as blocks.
  function keepTable(table) {
    const roles = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell", "thead th": "columnheader", "tbody th": "rowheader" };
    table.setAttribute("role", roles.table);
    for (const [what, role] of Object.entries(roles)) table.querySelectorAll(what).forEach((part) => part.setAttribute("role", role));
  }
  function toggle(driver, force) {
    const row = document.getElementById("driver-" + driver), button = row.querySelector("button.concept");
    const open = force || button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    let inside = document.getElementById("inside-" + driver);
    if (!inside && open) {
      inside = el("tr", { class: "inside", id: "inside-" + driver, role: "row" },
        el("td", { colspan: row.cells.length, role: "cell" }, examples(driver, further(row))));
      row.after(inside);
    }
    if (inside) inside.hidden = !open;
    return button;
  }
  function examples(driver, numbers) {
    const { concept, with: held, without, marks } = data.drivers[driver];
    const box = el("div", { class: "inside-box" }, numbers);
    const title = (before) => el("h3", {}, before, el("bdi", {}, "“" + concept + "”"));
    box.append(title("With "));
    if (!held.length) box.append(el("p", {}, "No example to show."));
    if (data.images) box.append(el("div", { class: "shots" }, ...held.map((row) => shot(row, held))));
    box.append(el("ul", { class: "lines" }, ...held.map((row, place) => el("li", {},
      marked(data.caption[row], marks[place]),
      el("button", { type: "button", class: "link", onclick: () => show(row, held) }, "Open ", isText(nameOf(row)))))));
    box.append(title("Without "));
    if (!without.length) box.append(el("p", {}, "No example to show."));
    box.append(el("div", { class: data.images ? "shots" : "grid-of-rows" }, ...without.map((row) => shot(row, without))));
    return box;
  }
  function marked(text, offsets) {
    const line = el("p", { dir: "auto" });
    let at = 0;
    for (let place = 0; place < offsets.length; place += 2) {
      line.append(text.slice(at, offsets[place]), el("mark", {}, text.slice(offsets[place], offsets[place + 1])));
      at = offsets[place + 1];
    }
    line.append(text.slice(at));
    return line;
  }

  // ---- gallery -------------------------------------------------------------------------------------
  function gallery(place) {
    const all = data.id.map((_, row) => row);
    const texts = all.map((row) => (nameOf(row) + "\n" + data.caption[row]).toLowerCase());
    const known = (value) => value !== null;
    const error = (row) => known(data.predicted[row]) && known(data.actual[row]) ? Math.abs(data.predicted[row] - data.actual[row]) : null;
    const keys = {
      table: ["Order of the table", (row) => data.id[row], 1],
      high: [data.metric + ", highest first", (row) => data.actual[row], -1],
      low: [data.metric + ", lowest first", (row) => data.actual[row], 1],
      predicted: ["Prediction, highest first", (row) => data.predicted[row], -1],
      error: ["Largest error first", error, -1],
    };
    const search = el("input", { type: "search", id: "filter", autocomplete: "off" });
    const order = el("select", { id: "order" }, ...Object.entries(keys).map(([key, [name]]) => el("option", { value: key }, name)));
    const only = el("input", { type: "checkbox", id: "only" });
    const status = el("p", { class: "quiet", role: "status" });
    const grid = el("div", { class: data.images ? "grid-of-shots" : "grid-of-rows" });
    const more = el("button", { type: "button", class: "plain more", onclick: () => page(true) }, "Show more");
    const anyExplained = Object.keys(data.explained).length > 0;
    let rows = all, drawn = 0;
    function page(move) {
      const next = rows.slice(drawn, drawn + PAGE).map((row) => shot(row, rows));
      drawn += next.length;
      grid.append(...next);
      more.hidden = drawn >= rows.length;
      status.textContent = rows.length ? drawn.toLocaleString("en") + " of " + rows.length.toLocaleString("en") + " shown" : "Nothing matches.";
      if (move && next.length) next[0].focus({ preventScroll: true });
    }
    function refresh() {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const [, key, way] = keys[order.value];
      rows = all.filter((row) => wanted.every((word) => texts[row].includes(word)) && (!only.checked || data.explained[row]));
      rows.sort((a, b) => {
        const left = key(a), right = key(b);
        if (!known(left) || !known(right)) return known(right) - known(left);
        return way * (left - right) || a - b;
      });
      drawn = 0;
      grid.replaceChildren();
      page(false);
    }
    let waiting = 0;
    search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 120); });
    order.addEventListener("change", refresh);
    only.addEventListener("change", refresh);
    place.replaceChildren(el("div", { class: "tools" }, el("label", {}, "Caption or name holds", search), el("label", {}, "Sort", order),
      anyExplained ? el("label", { class: "check" }, only, "explained only") : null), status, grid, more);
    refresh();
  }

  // ---- one image -----------------------------------------------------------------------------------
  function show(row, order) {
    const at = order.indexOf(row), explained = data.explained[row];
    const step = (by, name) => {
      const button = el("button", { type: "button", class: "plain", "aria-label": name, onclick: () => show(order[at + by], order) }, by < 0 ? "←" : "→");
      button.disabled = order[at + by] === undefined;
      return button;
    };
    const close = el("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Close");
    const top = el("div", { class: "bar-top" }, el("h2", { id: "detail-title", dir: "auto", tabindex: "-1" }, nameOf(row)),
      step(-1, "Previous"), step(1, "Next"), close);
    const facts = el("div", {});
    const body = el("div", { class: data.images ? "detail" : "detail no-picture" });
    const video = data.videos[row];
    if (data.images) {
      const box = el("div", { class: "picture" }, picture(row, (video ? "A frame of " : "Image of ") + nameOf(row)), lengthOf(row));
      body.append(el("div", {}, box, video ? strip(video.frames) : null));
    }
    body.append(facts);
    const path = el("ul", { class: "path" });
    const point = (name, value) => path.append(el("li", {}, name + " ", el("b", {}, number(value))));
    if (explained) point("base value", explained.base);
    if (data.predicted[row] !== null || explained) point("prediction", explained ? explained.prediction : data.predicted[row]);
    point("actual", data.actual[row]);
    facts.append(el("p", { class: "quiet" }, "Row " + data.id[row] + " of the table. ", el("bdi", {}, data.metric), explained || data.predicted[row] !== null ? ", out of fold:" : ":"), path);
    facts.append(explained ? coloured(data.caption[row], explained.spans) : el("p", { class: "caption", dir: "auto" }, data.caption[row]));
    if (explained) {
      facts.append(el("p", { class: "legend" }, el("span", {}, el("span", { class: "u" }, " raises"), " the prediction (red, solid line)"),
        el("span", {}, el("span", { class: "d" }, " lowers"), " it (blue, dashed line)"), el("span", {}, "stronger colour: larger share")));
      facts.append(waterfall(explained, data.actual[row]));
      if (data.pairs[row]) facts.append(together(data.pairs[row], data.caption[row]));
    } else {
      facts.append(el("p", { class: "quiet" }, "This caption is not among the explained ones."));
    }
    if (data.held[row].length) {
      facts.append(el("h3", {}, "Drivers in this caption"), el("div", { class: "chips" }, ...data.held[row].map((driver) =>
        el("button", { type: "button", class: "plain", dir: "auto", onclick: () => toDriver(driver) }, data.drivers[driver].concept))));
    }
    dialog.replaceChildren(top, body);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    close.focus({ preventScroll: true });
  }
  function strip(frames) {
    if (!frames.length) return null;
    return el("ul", { class: "strip", "aria-label": "Frames that were looked at, in the order of time" }, ...frames.map((thumb, place) =>
      el("li", {}, el("img", { src: data.thumbs[thumb], alt: "Frame " + (place + 1), decoding: "async" }))));
  }
  function toDriver(driver) {
    dialog.close();
    const button = toggle(driver, true);
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "center" });
  }
  function coloured(text, spans) {
    const line = el("p", { class: "caption", dir: "auto" });
    const most = Math.max(...spans.map((span) => Math.abs(span[2])), 0);
    let at = 0;
    for (const [start, end, value] of spans) {
      if (start < at) continue;
      line.append(text.slice(at, start));
      const share = most ? Math.abs(value) / most : 0, side = value > 0 ? "u" : "d";
      const strength = share < 0.06 ? 0 : Math.min(4, 1 + Math.floor(share * 4));
      line.append(el("span", strength ? { class: side + " " + side + strength, title: signed(value) } : { title: signed(value) }, text.slice(start, end)));
      at = end;
    }
    line.append(text.slice(at));
    // Text of the piece is looked up by its offsets; the waterfall below lists the values for those who cannot see a title.
    for (const span of spans) span.text = text.slice(span[0], span[1]);
    return line;
  }
  // What a phrase adds alone (on the diagonal) and what each pair adds together: the largest phrases, and the rest as one.
  function together({ spans, values }, text) {
    const name = (span) => span ? text.slice(span[0], span[1]).trim() || "(blank)" : "all the rest";
    const most = Math.max(...values.flat().map(Math.abs), 0);
    const cell = (value, alone) => {
      const share = most ? Math.abs(value) / most : 0, side = value > 0 ? "u" : "d";
      const strength = share < 0.06 ? "" : side + Math.min(4, 1 + Math.floor(share * 4));
      return el("td", { class: (strength + (alone ? " alone" : "")).trim() }, signed(value));
    };
    const head = el("tr", {}, el("td", {}), ...spans.map((span) => el("th", { scope: "col", dir: "auto" }, name(span))));
    const lines = spans.map((span, one) => el("tr", {}, el("th", { scope: "row", dir: "auto" }, name(span)),
      ...spans.map((_, other) => other < one ? el("td", {}) : cell(values[one][other - one], other === one))));
    return el("details", {}, el("summary", {}, "Phrases together"),
      el("p", { class: "quiet" }, "On the diagonal what a phrase adds alone, elsewhere what two add together beyond that. All of them and the base value make the prediction."),
      el("div", { class: "scroll", role: "region", "aria-label": "Phrases together", tabindex: "0" },
        el("table", { class: "pairs" }, el("thead", {}, head), el("tbody", {}, ...lines))));
  }
  function waterfall(explained, actual) {
    const spans = [...explained.spans].sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]) || a[0] - b[0]);
    const steps = spans.slice(0, LARGEST).map((span) => ({ name: span.text.trim() || "(blank)", value: span[2], error: span[3] }));
    const rest = spans.slice(LARGEST);
    if (rest.length) steps.push({ name: rest.length + " other " + (rest.length === 1 ? "piece" : "pieces"), value: rest.reduce((sum, span) => sum + span[2], 0), quiet: true });
    let now = explained.base;
    const stops = [explained.base, explained.prediction];
    if (actual !== null) stops.push(actual);
    for (const step of steps) { step.from = now; now += step.value; step.to = now; stops.push(now); }
    const low = Math.min(...stops), high = Math.max(...stops), span = high - low || 1;
    const x = (value) => 4 + 192 * (value - low) / span;
    const bar = (...shapes) => draw("svg", { viewBox: "0 0 200 16", preserveAspectRatio: "none", "aria-hidden": "true" }, ...shapes);
    const line = (value) => draw("path", { class: "now", d: "M" + x(value).toFixed(1) + " 1V15" });
    const body = el("tbody", {});
    const total = (name, value) => body.append(el("tr", { class: "total" }, el("th", { scope: "row" }, name),
      el("td", { class: "steps" }, bar(line(value))), el("td", { class: "n" }, number(value))));
    total("Base value", explained.base);
    for (const step of steps) {
      const left = Math.min(x(step.from), x(step.to)), width = Math.max(Math.abs(x(step.to) - x(step.from)), 0.8);
      const error = step.error ? el("small", {}, "± " + number(step.error, 1)) : null;
      body.append(el("tr", {}, el("th", { scope: "row", dir: "auto", class: step.quiet ? "quiet" : "" }, step.name),
        el("td", { class: "steps" }, bar(draw("rect", { class: step.value > 0 ? "u" : "d", x: left.toFixed(1), y: 3, width: width.toFixed(1), height: 10 }))),
        el("td", { class: "n" }, signed(step.value), error)));
    }
    total("Prediction", explained.prediction);
    if (actual !== null) total("Actual", actual);
    return el("table", { class: "falls" }, el("caption", { class: "hidden" }, "From the base value to the prediction, by piece of the caption"), body);
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("tr[data-driver]").forEach(openable);
  document.querySelectorAll("table.drivers").forEach(keepTable);
  document.documentElement.classList.add("scripted");
  gallery(document.getElementById("gallery"));
  // In a notebook's frame the page has no address of its own: a link to "#drivers" would open the notebook in it.
  if (location.protocol === "about:") for (const link of document.querySelectorAll("a[href^='#']")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById(link.getAttribute("href").slice(1)).scrollIntoView();
    });
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
})();
