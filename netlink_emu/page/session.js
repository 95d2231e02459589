// The session: its lines, read. Everything that a client said stays text from here on.

const BAD = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

// What could move or hide other text is shown by its number.
function shown(text) {
  return String(text).replace(BAD, (bad) => "\\u{" + bad.charCodeAt(0).toString(16) + "}");
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = shown(text);
  return made;
}

function readSession(text) {
  const session = {
    meta: {}, entries: [], byNumber: new Map(), shapes: new Map(), lanes: new Map(), torn: 0,
  };
  for (const line of text.split("\n")) {
    if (!line) continue;
    let read;
    try {
      read = JSON.parse(line);
    } catch {
      session.torn += 1; // the file ends early
      continue;
    }
    if (read.meta) session.meta = read.meta;
    else if (read.rows) session.shapes.set(read.shape, read.rows);
    else if (read.lane !== undefined) session.lanes.set(read.lane, read);
    else add(session, read);
  }
  session.byTime = session.entries.map((_, index) => index);
  session.byTime.sort((a, b) => session.entries[a].time - session.entries[b].time || a - b);
  tellApart(session.lanes);
  session.machine = machineOf(session);
  const times = new Set(session.entries.map((entry) => entry.time));
  placeAll(session, times.size < session.entries.length / 2);
  return session;
}

// Of several sockets of one client the number is told, too.
function tellApart(lanes) {
  const counts = new Map();
  for (const lane of lanes.values()) counts.set(lane.name, (counts.get(lane.name) ?? 0) + 1);
  for (const lane of lanes.values()) {
    if (counts.get(lane.name) > 1) lane.name += ` s${lane.socket}`;
  }
}

// Where each entry stands on the axis, ``at``: its time, or one behind the other. A machine's time
// may stand still while much is said.
function placeAll(session, inOrder) {
  session.inOrder = inOrder;
  session.byTime.forEach((index, rank) => {
    const entry = session.entries[index];
    entry.at = inOrder ? (rank + 1) * 1e9 : entry.time;
  });
  const placed = session.byTime.map((index) => session.entries[index].at);
  session.first = Math.min(0, placed[0] ?? 0);
  session.last = Math.max(placed[placed.length - 1] ?? 0, session.first + 1e6);
}

function add(session, entry) {
  entry.index = session.entries.length;
  entry.look = lookOf(entry);
  session.entries.push(entry);
  session.byNumber.set(entry.number, entry);
  const request = entry.answers === undefined ? null : session.byNumber.get(entry.answers);
  if (request) (request.answered ??= []).push(entry.number);
}

// How an entry is marked: as one of the words of the legend.
function lookOf(entry) {
  switch (entry.what) {
    case "sent": return entry.to ? "message" : "request";
    case "dropped": return "drop";
    case "fault": case "overrun": case "note": case "remark": return entry.what;
    case "opened": case "bound": case "closed": return entry.what;
    case "queued":
      if (entry.kinds.includes("error")) return "error";
      if (entry.kinds.includes("event")) return "event";
      if (entry.from) return "message";
      return entry.kinds[0] === "ack" ? "ack" : "reply";
    case "listener": return entry.action === "pruned" ? "prune" : "listener";
    default: return entry.what; // option, membership, task
  }
}

// Tasks and listeners as spans, by CPU: from one entry to another, or from or to the end (null).
function machineOf(session) {
  const machine = new Map(); // cpu → {tasks, listeners}
  const tasks = new Map(), listeners = new Map();
  const on = (entry) => {
    const cpu = cpuOf(entry);
    if (!machine.has(cpu)) machine.set(cpu, { tasks: [], listeners: [] });
    return machine.get(cpu);
  };
  for (const entry of session.entries) {
    if (entry.what === "task") {
      const task = sided(entry, entry.pid);
      let span = tasks.get(task);
      if (!span || !entry.exited) {
        span = { from: entry.exited ? null : entry, to: null };
        on(entry).tasks.push(span);
        tasks.set(task, span);
      }
      if (entry.exited) {
        span.to = entry;
        tasks.delete(task);
      }
    } else if (entry.what === "listener") {
      const key = sided(entry, entry.portid) + " " + entry.cpu;
      if (entry.action === "registered") {
        const span = { from: entry, to: null };
        listeners.set(key, span);
        on(entry).listeners.push(span);
      } else if (listeners.has(key)) {
        listeners.get(key).to = entry;
        listeners.delete(key);
      }
    }
  }
  const cpus = [...machine.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return cpus.map((cpu) => ({ cpu, ...machine.get(cpu) }));
}

// Of two sessions the side is told, too.
function sided(entry, what) {
  return entry.side ? `${entry.side} ${what}` : String(what);
}

function cpuOf(entry) {
  return sided(entry, `CPU ${entry.cpu}`);
}

function textsOf(entry) {
  return entry.texts === undefined || entry.texts === "" ? [] : entry.texts.split("\n");
}

function bytesOf(entry) {
  const hex = entry.bytes ?? "", bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = parseInt(hex.substr(2 * i, 2), 16);
  return bytes;
}
