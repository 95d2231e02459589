// Which entries are shown.

const CHOICES = {
  "by-socket": (entry) => (entry.socket === undefined ? [] : [String(entry.socket)]),
  "by-family": (entry) => entry.families ?? [],
  "by-cmd": (entry) => entry.cmds ?? [],
  "by-error": (entry) => entry.errors ?? [],
  "by-kind": (entry) => [kindOf(entry)],
  "by-pair": (entry) => (entry.differs === undefined ? [] : [pairOf(entry)]),
};

// How an entry compares with that of the other session.
function pairOf(entry) {
  if (entry.pair === undefined) return `only in ${entry.side}`;
  return entry.differs ? "different" : "the same";
}

function kindOf(entry) {
  return entry.what === "queued" || entry.what === "sent" ? entry.kinds[0] ?? entry.what : entry.what;
}

function fillChoices(session) {
  for (const [id, valuesOf] of Object.entries(CHOICES)) {
    const counts = new Map();
    for (const entry of session.entries) {
      for (const value of valuesOf(entry)) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const select = document.getElementById(id);
    select.append(new Option("all", ""));
    if (id === "by-error" && counts.size) select.append(new Option("any errno", "*"));
    for (const [value, count] of counts) {
      const name = id === "by-socket" ? session.lanes.get(Number(value))?.name ?? value : value;
      select.append(new Option(shown(name) + " (" + count + ")", value));
    }
    select.disabled = !counts.size;
    if (id === "by-pair") select.parentElement.hidden = !counts.size;
  }
}

function chosenFilters() {
  const found = [];
  for (const [id, valuesOf] of Object.entries(CHOICES)) {
    const value = document.getElementById(id).value;
    if (value) found.push((entry) => {
      const values = valuesOf(entry);
      return value === "*" ? values.length > 0 : values.includes(value);
    });
  }
  const text = document.getElementById("find").value.trim().toLowerCase();
  if (text) {
    const hex = text.replace(/[\s:]/g, "");
    const isHex = /^([0-9a-f]{2}){2,}$/.test(hex);
    found.push((entry) => hayOf(entry).includes(text) || (isHex && hasBytes(entry.bytes, hex)));
  }
  return found;
}

function hayOf(entry) {
  entry.hay ??= [
    "#" + entry.number, entry.title, entry.summary, entry.cmds, entry.errors, entry.what, entry.kinds,
  ].join(" ").toLowerCase();
  return entry.hay;
}

// Whether whole bytes are found, not the halves of two.
function hasBytes(bytes, hex) {
  let at = (bytes ?? "").indexOf(hex);
  while (at > 0 && at % 2) at = bytes.indexOf(hex, at + 1);
  return at >= 0;
}

function applyFilters(session) {
  const filters = chosenFilters();
  const indices = [];
  for (const entry of session.entries) {
    if (filters.every((accepts) => accepts(entry))) indices.push(entry.index);
  }
  return indices;
}
