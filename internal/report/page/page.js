"use strict";
(async () => {
  const $ = (id) => document.getElementById(id);
  // Elements are made one by one and text is only ever text: nothing here parses markup.
  const make = (space) => (tag, attributes = {}, ...children) => {
    const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children);
    return node;
  };
  const html = make(null);
  const svg = make("http://www.w3.org/2000/svg");

  // The page says from the start that rooms are missing, also where this script does not even parse.
  if (!globalThis.DecompressionStream) return;
  $("undrawn").remove();
  const packed = Uint8Array.from(atob($("data").textContent.trim()), (c) => c.charCodeAt(0));
  const data = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  const { columns, people, rooms, states, heat } = data;
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
  const noun = states.length > 0 ? "membership" : "row";
  const indexOf = (kind) => columns.findIndex((c) => c.kind === kind);
  const stateAt = indexOf("state");
  const heatAt = indexOf("heat");
  const eventsAt = indexOf("num"); // the first number is that of events
  const tileOf = (row) => states[row[stateAt]].tile;

  // Rooms and rows, with what is looked up often.
  const rows = [];
  for (const room of rooms) {
    room.find = `${room.title} ${room.id}`.toLowerCase();
    room.all = room.rows.map((cells) => ({ cells, room }));
    rows.push(...room.all);
  }
  for (const person of people) person.find = person.join(" ").toLowerCase();

  // What is chosen.
  const shown = new Set(states.map((s) => s.tile));
  let words = [];
  let order = 0;
  let sort = { column: stateAt >= 0 ? stateAt : eventsAt, down: stateAt < 0 };

  const matches = (row) => (stateAt < 0 || shown.has(tileOf(row.cells))) &&
    words.every((w) => people[row.cells[0]].find.includes(w) || row.room.find.includes(w));

  // Activity by day or week: one character each, 0 to 9, A to Z, a to y, and z for more.
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const counts = (text) => Array.from(text, (c) => digits.indexOf(c));
  const bounds = heat && (heat.days === 1 ? [1, 2, 5, 10] : [1, 5, 15, 40]);
  const level = (n) => bounds.filter((b) => n >= b).length;
  const dayFormat = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const shortFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const dayOf = (i) => new Date(Date.parse(heat.first) + i * heat.days * 86400000);
  const bucketName = (i) => (heat.days === 1 ? "" : "week from ") + dayFormat.format(dayOf(i));
  const eventCount = (n) => (n === 0 ? "none" : n === digits.length - 1 ? `${n} or more` : String(n));
  const isMissing = (i) => heat.missing.some(([from, to]) => i >= from && i < to);

  // Stripes say that data are missing; they stay upright however far the drawing is stretched.
  const stripes = (from, to) => {
    let d = "";
    for (let x = from; x < to; x += 0.25) d += `M${x} 0H${x + 0.1}V24H${x}Z`;
    return svg("path", { class: "gone", d });
  };

  const heatCell = (row) => {
    const text = row.cells[heatAt];
    if (text === null) return html("span", { class: "faint" }, `not among the ${heat.most} most active`);
    const values = counts(text);
    const since = row.cells[columns.length];
    const active = values.filter((n) => n > 0).length;
    const unit = heat.days === 1 ? "day" : "week";
    let label = `No recorded ${heat.word}.`;
    if (active > 0) {
      const last = values.findLastIndex((n) => n > 0);
      label = `Recorded ${heat.word} on ${active} of ${plural(heat.count, unit)}, the last: ${bucketName(last)}.`;
      if (heat.days === 7) label = label.replace(" on ", " in ");
    }
    const node = svg("svg", { viewBox: `0 0 ${heat.count} 24`, preserveAspectRatio: "none", role: "img", "aria-label": label });
    const from = Math.max(0, since);
    if (from < heat.count) node.append(svg("path", { class: "lane", d: `M${from} 0H${heat.count}V24H${from}Z` }));
    for (const [a, b] of heat.missing) node.append(stripes(Math.max(a, from), b));
    const paths = ["", "", "", "", ""];
    values.forEach((n, i) => {
      const l = level(n);
      if (l > 0) paths[l] += `M${i + 0.06} 24V${24 - 6 * l}H${i + 0.94}V24Z`;
    });
    paths.forEach((d, l) => d && node.append(svg("path", { class: `l${l}`, d })));
    node.values = values;
    return node;
  };

  const tip = $("tip");
  addEventListener("pointermove", (event) => {
    const node = event.target.closest?.("svg");
    if (!node?.values) {
      tip.hidden = true;
      return;
    }
    const box = node.getBoundingClientRect();
    const i = Math.min(heat.count - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * heat.count)));
    tip.textContent = `${bucketName(i)}: ${eventCount(node.values[i] ?? 0)}${isMissing(i) ? " (data are missing)" : ""}`;
    tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 12)}px`;
  });

  // A bar cut by verdict, which text beside it tells too.
  const stateBar = (list) => {
    const node = svg("svg", { viewBox: `0 0 ${Math.max(1, list.length)} 1`, preserveAspectRatio: "none", "aria-hidden": "true" });
    let x = 0;
    for (const tile of new Set(states.map((s) => s.tile))) {
      const n = list.filter((row) => tileOf(row.cells) === tile).length;
      if (n > 0) node.append(svg("rect", { class: `f-${tile}`, x, y: 0, width: n, height: 1 }));
      x += n;
    }
    return node;
  };

  const spark = ({ sums }) => {
    const top = Math.max(1, ...sums);
    const node = svg("svg", { viewBox: `0 0 ${heat.count} 26`, preserveAspectRatio: "none", "aria-hidden": "true" });
    node.append(svg("path", {
      d: sums.map((n, i) => n === 0 ? `M${i} 26V25.2H${i + 0.9}V26Z` : `M${i} 26V${(25 - 23 * n / top).toFixed(1)}H${i + 0.9}V26Z`).join(""),
    }));
    return node;
  };

  // Values to sort by. What is no date, such as "none", is before all dates.
  const byRoom = -1;
  const key = (row, i) => {
    if (i === byRoom) return row.room.title;
    const cell = row.cells[i];
    switch (columns[i].kind) {
    case "person": return people[cell][0];
    case "heat": return row.cells[eventsAt]; // exact, unlike the characters of the heat map
    case "time": return /^\d/.test(cell) ? cell : "";
    default: return cell;
    }
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  const sorted = (list) => {
    const { column, down } = sort;
    return list
      .map((row) => ({ row, key: key(row, column), name: people[row.cells[0]][0] }))
      .sort((a, b) => (down ? compare(b.key, a.key) : compare(a.key, b.key)) || collator.compare(a.name, b.name))
      .map((entry) => entry.row);
  };

  const cellOf = (row, i) => {
    const column = columns[i];
    const cell = row.cells[i];
    const attributes = { class: column.kind === "text" ? "text" : column.kind, "data-name": column.name };
    switch (column.kind) {
    case "person": {
      const [name, email] = people[cell];
      return html("td", { class: "who" }, html("b", {}, html("bdi", {}, name)), ...(email ? [html("span", {}, html("bdi", {}, email))] : []));
    }
    case "state": {
      const state = states[cell];
      return html("td", { class: `state s-${state.tile}` }, html("i", { "aria-hidden": "true" }, state.glyph), state.name);
    }
    case "heat": return html("td", { class: "heat" }, heatCell(row));
    case "num": return html("td", attributes, cell.toLocaleString("en"));
    case "time": return html("td", { ...attributes, title: cell }, cell.replace(/ \d\d:\d\d/, ""));
    default: return html("td", attributes, cell);
    }
  };

  const head = (withRoom) => {
    const line = html("tr", { role: "row" });
    const add = (column, i) => {
      const kind = column.kind === "person" ? "who" : column.kind;
      const cell = html("th", { scope: "col", role: "columnheader", class: kind });
      if (sort.column === i) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      const button = html("button", { type: "button" }, column.name);
      button.addEventListener("click", () => {
        sort = { column: i, down: sort.column === i ? !sort.down : column.kind === "num" || column.kind === "heat" };
        const position = [...document.querySelectorAll("th button")].indexOf(button);
        render();
        document.querySelectorAll("th button")[position]?.focus();
      });
      cell.append(button);
      if (column.kind === "heat") {
        cell.append(html("span", { class: "dates" }, html("span", {}, shortFormat.format(dayOf(0))), html("span", {}, shortFormat.format(dayOf(heat.count - 1)))));
      }
      line.append(cell);
    };
    columns.forEach((column, i) => {
      add(column, i);
      if (withRoom && i === 0) add({ name: "Room", kind: "text" }, byRoom);
    });
    return html("thead", { role: "rowgroup" }, line);
  };

  // A table draws so many rows, and more of them when asked.
  const first = 100;
  const step = 1000;
  const table = (list, name, withRoom) => {
    const body = html("tbody", { role: "rowgroup" });
    const box = html("div", {}, html("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name },
      html("table", { role: "table" }, html("caption", {}, name), head(withRoom), body)));
    const more = html("button", { type: "button", class: "more" });
    let drawn = 0;
    const draw = (n) => {
      for (const row of list.slice(drawn, drawn + n)) {
        const line = html("tr", { role: "row" });
        columns.forEach((_, i) => {
          const cell = cellOf(row, i);
          cell.setAttribute("role", "cell");
          line.append(cell);
          if (withRoom && i === 0) line.append(html("td", { role: "cell", class: "text", "data-name": "Room" }, html("bdi", {}, row.room.title)));
        });
        body.append(line);
      }
      drawn = Math.min(list.length, drawn + n);
      const left = list.length - drawn;
      more.textContent = `Show ${Math.min(step, left).toLocaleString("en")} more of ${left.toLocaleString("en")}`;
      if (left === 0) more.remove();
    };
    more.addEventListener("click", () => draw(step));
    box.drawTo = (n) => {
      if (n > drawn) draw(n - drawn);
      return drawn;
    };
    box.drawTo(first);
    if (drawn < list.length) box.append(more);
    return box;
  };

  const open = new Map(); // by room: what was opened or closed by hand

  const panel = (room, list, isOpen) => {
    const summary = html("summary", {},
      html("span", { class: "title" }, html("bdi", {}, room.title), html("span", { class: "id" }, html("bdi", {}, room.id === room.title ? "" : room.id))),
      html("span", { class: "sum" }, room.sum));
    if (stateAt >= 0) summary.append(html("span", { class: "states" }, stateBar(room.all)));
    if (heat) summary.append(html("span", { class: "spark" }, spark(room)));
    const node = html("details", { class: "room" }, summary);
    if (room.note) node.append(html("p", { class: "note" }, room.note));
    let body;
    const fill = () => {
      if (body || !node.open) return;
      body = list.length > 0 ? table(sorted(list), room.title, false) : html("p", { class: "none" }, "Nobody to show.");
      node.append(body);
    };
    node.drawTo = (n) => {
      node.open = true;
      fill();
      return body.drawTo?.(n) ?? 0;
    };
    node.addEventListener("toggle", () => {
      fill();
      open.set(room, node.open);
    });
    node.open = isOpen;
    fill();
    return node;
  };

  const listedIn = (list) => list.filter((row) => stateAt < 0 || states[row.cells[stateAt]].listed).length;
  const sumOf = (list) => list.reduce((sum, row) => sum + row.cells[eventsAt], 0);
  const orders = stateAt >= 0 ? [
    ["most without activity", (a, b) => b.listed - a.listed],
    ["largest share without activity", (a, b) => b.listed / (b.room.all.length || 1) - a.listed / (a.room.all.length || 1)],
    ["title", () => 0],
    ["most active", (a, b) => b.events - a.events],
  ] : [
    ["most active", (a, b) => b.events - a.events],
    ["title", () => 0],
  ];
  for (const room of rooms) Object.assign(room, { listed: listedIn(room.all), events: eventsAt >= 0 ? sumOf(room.all) : 0 });

  // The list of rooms is drawn piece by piece, as far as somebody looks.
  const piece = 60;
  const content = $("content");
  // Paper has no buttons to show more with: for it, all is drawn that is shown,
  // up to so many rows and heads of rooms as a browser lays out in one go.
  const paper = 2000;
  let print; // draws for paper and returns what does not fit
  let watcher;
  let openAll = null;

  const drawRooms = (groups, total) => {
    const few = total <= 200;
    let drawn = 0;
    const sentinel = html("button", { type: "button", class: "more" });
    const panels = [];
    const draw = () => {
      for (const { room, list } of groups.slice(drawn, drawn + piece)) {
        const node = panel(room, list, openAll ?? open.get(room) ?? (few && list.length > 0));
        panels.push(node);
        sentinel.before(node);
      }
      drawn += piece;
      sentinel.textContent = `Show more of ${plural(groups.length, "room")}`;
      if (drawn >= groups.length) sentinel.remove();
    };
    content.append(sentinel);
    draw();
    sentinel.addEventListener("click", draw);
    print = () => {
      let room = 0;
      let left = total;
      for (let lines = paper; lines > 0 && room < groups.length; room++) {
        if (room >= drawn) draw();
        const n = panels[room].drawTo(lines);
        left -= n;
        lines -= n + 1;
      }
      for (const node of panels.slice(room)) node.open = false;
      const rooms = groups.length - Math.max(room, panels.length);
      return [left > 0 && plural(left, `more ${noun}`), rooms > 0 && plural(rooms, "more room")];
    };
    watcher?.disconnect();
    watcher = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && sentinel.isConnected && draw(), { rootMargin: "600px" });
    if (sentinel.isConnected) watcher.observe(sentinel);
  };

  const render = () => {
    content.replaceChildren();
    const groups = [];
    let total = 0;
    const rest = [];
    for (const room of rooms) {
      const list = room.all.filter(matches);
      total += list.length;
      if (list.length > 0) groups.push({ room, list, listed: room.listed, events: room.events });
      else if (words.every((w) => room.find.includes(w))) rest.push({ room, list, listed: 0, events: room.events });
    }
    const by = orders[order][1];
    groups.sort((a, b) => by(a, b) || collator.compare(a.room.title, b.room.title));
    rest.sort((a, b) => collator.compare(a.room.title, b.room.title));
    $("said").textContent = `${plural(total, noun)} in ${plural(groups.length, "room")} shown` +
      (rest.length > 0 ? `; ${plural(rest.length, "room")} with nobody to show at the end` : "") + ".";
    const everybody = $("view").value === "people";
    $("fold").hidden = $("by").hidden = everybody;
    if (everybody) {
      const box = table(sorted(rows.filter(matches)), "Everybody", true);
      content.append(html("div", { class: "room" }, box));
      print = () => {
        const left = total - box.drawTo(paper);
        return [left > 0 && plural(left, `more ${noun}`)];
      };
    } else {
      drawRooms([...groups, ...rest], total);
    }
    $("sort").value = String(sort.column);
  };

  // Controls.
  orders.forEach(([name], i) => $("order").append(html("option", { value: i }, name)));
  columns.forEach((column, i) => $("sort").append(html("option", { value: i }, column.name)));
  $("sort").append(html("option", { value: byRoom }, "Room"));
  let waiting;
  $("find").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
      render();
    }, rows.length > 5000 ? 200 : 0);
  });
  $("view").addEventListener("change", render);
  $("order").addEventListener("change", () => {
    order = Number($("order").value);
    render();
  });
  $("sort").addEventListener("change", () => {
    const column = Number($("sort").value);
    sort = { column, down: ["num", "heat"].includes(columns[column]?.kind) };
    render();
  });
  $("fold").addEventListener("click", () => {
    openAll = !(openAll ?? false);
    open.clear();
    $("fold").textContent = openAll ? "Close all" : "Open all";
    render();
    openAll = openAll ? true : null;
  });
  $("tools").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll(".total")) {
    button.addEventListener("click", () => {
      const { state } = button.dataset;
      if (!shown.delete(state)) shown.add(state);
      button.setAttribute("aria-pressed", String(shown.has(state)));
      render();
    });
  }
  addEventListener("beforeprint", () => {
    const left = print().filter(Boolean);
    $("unprinted").textContent = left.length > 0 ? `Not printed: ${left.join(" and ")}. Filters choose what is printed.` : "";
  });

  if (stateAt >= 0 && rows.length > 0) {
    $("bar").append(stateBar(rows));
    $("bar").hidden = false;
  }
  if (heat && rows.length > 0) {
    const box = (l) => {
      const node = svg("svg", { viewBox: "0 0 1 24", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "lane", d: "M0 0H1V24H0Z" }));
      if (l > 0) node.append(svg("path", { class: `l${l}`, d: `M0 24V${24 - 6 * l}H1V24Z` }));
      return node;
    };
    const names = [`no recorded ${heat.word}`, ...bounds.map((b, i) => (i === 3 ? `${b} or more` : b === bounds[i + 1] - 1 ? String(b) : `${b} to ${bounds[i + 1] - 1}`))];
    $("legend").append(html("span", {}, `Events a ${heat.days === 1 ? "day" : "week"} (UTC):`), ...names.map((name, l) => html("span", {}, box(l), name)));
    if (heat.missing.length > 0) {
      const gone = box(0);
      gone.append(stripes(0, 1));
      $("legend").append(html("span", {}, gone, "data are missing"));
    }
    $("legend").append(html("span", {}, "A row begins where the membership does."));
    $("legend").hidden = false;
  }
  $("tools").hidden = false;
  render();
  document.documentElement.dataset.ready = "yes";
})();
