// The page: what is chosen, the keys, and what is drawn anew then.

const KEYS = [
  ["j k ↓ ↑", "the next, the previous entry"], ["PageDown PageUp Home End", "further"],
  ["r", "from a request to its answer, and back"],
  ["d", "mark an entry; then any other is compared with it (d again: no more)"],
  ["/", "find"], ["Escape", "show all"], ["+ −", "zoom"], ["← →", "earlier, later"], ["0", "the whole session"],
  ["o", "the axis: time, or one entry behind the other"],
  ["p", "of two sessions: the message beside that of the other, or alone"],
  ["z", "zoom to the chosen entry"], ["t", "dark or light"], ["?", "these keys"],
];
const COLUMNS = ["number", "time", "client", "kind", "family", "says", "errno", "size"];

function start() {
  const get = (id) => document.getElementById(id);
  const session = readSession(get("session").textContent);
  get("session").textContent = "";
  const state = { shown: [], chosen: -1, marked: -1, pairs: true };

  const table = new List(get("table"), (row) => entryRow(session.entries[state.shown[row]]));
  const fields = new Fields(get("fields"), get("bytes"));
  const difference = new Difference(fields.fields);
  const fieldRow = fields.fields.makeRow;
  const diagram = new Diagram(get("diagram"), session, choose);

  function entryRow(entry) {
    const row = element("div", "entry");
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(entry.index === state.chosen));
    if (entry.index === state.chosen) row.classList.add("chosen");
    if (entry.index === state.marked) row.classList.add("marked");
    const client = session.lanes.get(entry.socket)?.name ?? "";
    const way = { sent: "→ ", queued: "← ", dropped: "✗ " }[entry.what] ?? "";
    const values = [
      "#" + entry.number, (entry.time / 1e9).toFixed(6), way + client, kindOf(entry),
      (entry.families ?? []).join(" "), saying(entry), (entry.errors ?? []).join(" "), entry.size ?? "",
    ];
    values.forEach((value, index) => {
      const cell = element("span", COLUMNS[index], value);
      if (COLUMNS[index] === "kind") cell.classList.add(LOOKS[entry.look]?.[0] ?? "life");
      if (COLUMNS[index] === "says") cell.title = shown(entry.title);
      row.append(cell);
    });
    return row;
  }

  function saying(entry) {
    if (entry.differs === undefined) return plainly(entry);
    return ({ "the same": "= ", different: "≠ " }[pairOf(entry)] ?? `${entry.side} `) + plainly(entry);
  }

  function plainly(entry) {
    if (entry.what === "fault") return `FAULT ${entry.fault}: ${entry.summary}`;
    if (entry.what === "dropped") return `LOST: ${entry.reason}: ${entry.summary}`;
    return entry.summary || entry.title;
  }

  function refilter() {
    state.shown = applyFilters(session);
    get("count").textContent = `${state.shown.length} of ${session.entries.length}` + (session.torn ? ", the file ends early" : "");
    table.show(state.shown.length);
    const row = state.shown.indexOf(state.chosen);
    if (row >= 0) table.reveal(row);
    diagram.draw(state.shown, state.chosen);
  }

  function choose(index) {
    state.chosen = index;
    const row = state.shown.indexOf(index), entry = session.entries[index];
    if (row < 0 || !table.reveal(row)) table.draw();
    diagram.chosen = index;
    if (entry) diagram.reveal(entry);
    tell(entry);
  }

  function tell(entry) {
    const about = get("about"), parts = [];
    const marked = session.entries[state.marked];
    const other = marked ?? (state.pairs ? session.byNumber.get(entry?.pair) : undefined);
    const compares = entry && other && other !== entry && other.bytes !== undefined && entry.bytes !== undefined;
    const [left, right] = marked || entry?.side === "B" ? [other, entry] : [entry, other];
    get("panes").classList.toggle("difference", Boolean(compares));
    if (!entry) parts.push(element("p", "", "Choose an entry: its fields stand here, beside its bytes."));
    else if (compares) {
      fields.fields.makeRow = (index) => difference.row(index);
      const count = difference.show(left, right, session);
      for (const each of [left, right]) parts.push(element("p", "", sided(each, `#${each.number} ${each.summary}`)));
      parts.push(element("p", count ? "error" : "reply", count === 1 ? "one field differs" : count ? `${count} fields differ` : "no field differs"));
      if (marked) parts.push(button("Compare no more (d)", () => mark(-1)));
      else parts.push(button("This one alone (p)", pairs));
    } else {
      parts.push(element("p", "", `#${entry.number} ${entry.title}`));
      parts.push(...links(entry));
      if (entry.pair !== undefined) parts.push(button("Beside the other session's (p)", pairs));
    }
    if (!compares) {
      fields.fields.makeRow = fieldRow;
      fields.show(entry, session);
    }
    about.replaceChildren(...parts);
  }

  function links(entry) {
    const parts = [];
    if (entry.bytes !== undefined) {
      const isMarked = entry.index === state.marked;
      parts.push(button(isMarked ? "Marked: choose another to compare (d: no more)" : "Compare with another (d)", () => mark(isMarked ? -1 : entry.index)));
    }
    if (entry.answers !== undefined) parts.push(" answers ", jump(entry.answers));
    const answered = entry.answered ?? [];
    if (answered.length) parts.push(" answered by ");
    answered.slice(0, 12).forEach((number) => parts.push(jump(number), " "));
    if (answered.length > 12) parts.push(`and ${answered.length - 12} more`);
    return parts;
  }

  function button(text, act, className = "") {
    const made = element("button", className, text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  function jump(number) {
    return button("#" + number, () => go(number), "link");
  }

  function go(number) {
    const entry = session.byNumber.get(number);
    if (entry) choose(entry.index);
  }

  function mark(index) {
    state.marked = index;
    table.draw();
    tell(session.entries[state.chosen]);
  }

  function pairs() {
    state.pairs = !state.pairs;
    tell(session.entries[state.chosen]);
  }

  function step(by) {
    if (!state.shown.length) return;
    const at = state.shown.indexOf(state.chosen);
    const last = state.shown.length - 1;
    if (at < 0) choose(state.shown[by === Infinity || by === -1 ? last : 0]);
    else choose(state.shown[Math.max(0, Math.min(at + by, last))]);
  }

  function theme() {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  }

  const near = () => (session.inOrder ? 10e9 : 1e6);

  function axis() {
    placeAll(session, !session.inOrder);
    nameAxis();
    diagram.fit();
  }

  function nameAxis() {
    get("axis").textContent = session.inOrder ? "Axis: order" : "Axis: time";
  }

  function clear() {
    get("find").value = "";
    for (const id of Object.keys(CHOICES)) get(id).value = "";
    refilter();
  }

  const chosen = () => session.entries[state.chosen];
  const ACTS = {
    j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
    PageDown: () => step(table.page), PageUp: () => step(-table.page),
    Home: () => step(-Infinity), End: () => step(Infinity),
    r: () => { const entry = chosen(); const to = entry?.answers ?? entry?.answered?.[0]; if (to !== undefined) go(to); },
    d: () => mark(state.marked >= 0 ? -1 : chosen()?.bytes === undefined ? -1 : state.chosen),
    "/": () => get("find").focus(), "+": () => diagram.zoom(0.7), "=": () => diagram.zoom(0.7), "-": () => diagram.zoom(1.4),
    "0": () => diagram.fit(), ArrowLeft: () => diagram.pan(-0.2), ArrowRight: () => diagram.pan(0.2),
    z: () => { const entry = chosen(); if (entry) diagram.show(entry.at - near(), entry.at + near()); },
    o: axis,
    p: pairs, t: theme, "?": () => get("help").showModal(), Escape: clear,
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, select");
    if (event.key === "Escape" && typing) event.target.blur();
    if (event.ctrlKey || event.altKey || event.metaKey || get("help").open) return;
    if (typing && event.key !== "Escape") return;
    const act = ACTS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  get("table").addEventListener("click", (event) => {
    const row = rowAt(event);
    if (row >= 0) choose(state.shown[row]);
  });
  for (const id of Object.keys(CHOICES)) get(id).addEventListener("change", refilter);
  get("find").addEventListener("input", refilter);
  get("axis").addEventListener("click", axis);
  get("theme").addEventListener("click", theme);
  get("keys").addEventListener("click", () => get("help").showModal());
  for (const [keys, does] of KEYS) get("key-list").append(element("dt", "", keys), element("dd", "", does));

  if (session.meta.title) get("title").textContent = shown(session.meta.title);
  if (session.meta.began > 1) get("title").title = new Date(session.meta.began * 1000).toISOString();
  const names = { number: "#", time: "seconds", client: "client", kind: "kind", family: "family", says: "says", errno: "errno", size: "bytes" };
  for (const column of COLUMNS) get("heads").append(element("span", column, names[column]));
  nameAxis();
  fillChoices(session);
  fillLegend(session);
  refilter();
  tell(undefined);
  get("table").focus();
  setTimeout(() => session.entries.forEach(hayOf), 100); // so that the first search need not
}

if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.dataset.theme = "dark";
document.addEventListener("DOMContentLoaded", start);
