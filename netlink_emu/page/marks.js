// What marks an entry in the diagram: each look has a form of its own, not a colour alone.

const LOOKS = {
  request: ["request", "request"], reply: ["reply", "reply, dump"], ack: ["reply", "ack"],
  error: ["error", "error"], event: ["event", "multicast, event"],
  message: ["event", "client to client"], drop: ["error", "drop"], overrun: ["error", "overrun"],
  fault: ["fault", "fault"], prune: ["error", "pruned"], listener: ["reply", "listener"],
  opened: ["life", "opened"], bound: ["life", "bound"], closed: ["life", "closed"],
  option: ["life", "option"], membership: ["event", "group joined, left"],
  task: ["life", "task"], note: ["note", "note"], remark: ["note", "kernel log"],
};
const LOOK_NUMBERS = Object.fromEntries(Object.keys(LOOKS).map((look, number) => [look, number]));
const FULL = new Set(["ack", "error", "closed", "prune", "note", "fault", "listener"]);
const ARROWS = new Set(["request", "reply", "ack", "error", "event", "message", "drop"]);

// The path of a look's sign around x, y; ``up`` where an arrow's head points up.
function sign(look, x, y, up) {
  const s = up ? -1 : 1;
  switch (look) {
    case "request": case "reply": case "ack": case "error": case "event": case "message": {
      const head = `M${x - 3.5} ${y - 6 * s}L${x} ${y}L${x + 3.5} ${y - 6 * s}`;
      if (look === "event") return `${head}M${x - 3.5} ${y - 10 * s}L${x} ${y - 4 * s}L${x + 3.5} ${y - 10 * s}`;
      if (look === "error") return `${head}ZM${x - 3} ${y - 12 * s}h6`;
      return look === "ack" ? `${head}Z` : head;
    }
    case "drop": case "prune": return `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`;
    case "overrun": return `M${x} ${y - 6}l6 11h-12zM${x} ${y - 2}v4`;
    case "fault": return `M${x} ${y - 5}l5 5l-5 5l-5 -5z`;
    case "opened": case "closed": return `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`;
    case "bound": return `M${x} ${y - 5}v10`;
    case "listener": return `M${x - 3} ${y - 3}h6v6h-6z`;
    case "note": return `M${x - 3} ${y + 5}v-10h7l-2 3l2 3h-7`;
    case "remark": return `M${x - 4} ${y - 3}h8m-8 3h8m-8 3h5`;
    case "membership": return `M${x - 4} ${y}h8m-4 -4v8`;
    case "task": return `M${x - 3} ${y - 4}l6 4l-6 4z`;
    default: return `M${x - 3} ${y}h6`;
  }
}

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = shown(text);
  return made;
}

function pathOf(look, d) {
  return svg("path", { class: LOOKS[look][0] + (FULL.has(look) ? " full" : ""), d });
}

// The looks that a session has, with their names.
function fillLegend(session) {
  const has = new Set(session.entries.map((entry) => entry.look));
  for (const [look, [, name]] of Object.entries(LOOKS)) {
    if (!has.has(look)) continue;
    const item = element("span"), picture = svg("svg", { width: 16, height: 16 });
    const arrow = ARROWS.has(look) && look !== "drop";
    picture.append(pathOf(look, sign(look, 8, arrow ? (look === "request" ? 3 : 13) : 8, look === "request")));
    if (arrow) picture.append(pathOf(look, "M8 2V14"));
    item.append(picture, name);
    document.getElementById("legend").append(item);
  }
}
