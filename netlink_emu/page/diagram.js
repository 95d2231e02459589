// The sequence diagram: the kernel and the clients as lanes, below them the CPUs, time to the right.

const GUTTER = 170, AXIS = 22, LANE = 28, COLUMN = 3;

class Diagram {
  constructor(box, session, choose) {
    this.box = box;
    this.session = session;
    this.choose = choose;
    this.from = session.first;
    this.to = session.last;
    this.top = 0; // pixels that the lanes are scrolled by
    this.marks = [];
    this.picture = svg("svg", {});
    box.append(this.picture);
    this.lanes = [...session.lanes.values()];
    this.row = new Map(this.lanes.map((lane, index) => [lane.lane, index]));
    this.byPort = new Map(this.lanes.map((lane) => [lane.portid, lane.lane]));
    this.fit();
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("pointerdown", (event) => this.drag(event));
    box.addEventListener("pointermove", (event) => this.hover(event));
  }

  get width() { return Math.max(50, this.box.clientWidth - GUTTER - 12); }
  get tall() { return AXIS + LANE * (1 + this.lanes.length + this.session.machine.length) + 8; }
  x(time) { return GUTTER + ((time - this.from) / (this.to - this.from)) * this.width; }
  timeAt(x) { return this.from + ((x - GUTTER) / this.width) * (this.to - this.from); }
  laneY(index) { return AXIS + LANE * (index + 1.5) - this.top; }
  get kernelY() { return AXIS + LANE / 2; }

  fit() {
    const margin = (this.session.last - this.session.first) * 0.02;
    this.show(this.session.first - margin, this.session.last + margin);
  }

  show(from, to) {
    const whole = this.session.last - this.session.first;
    const span = Math.min(Math.max(to - from, this.session.inOrder ? 2e9 : 1000), whole * 1.2);
    const middle = (from + to) / 2;
    this.from = Math.max(this.session.first - whole * 0.1, Math.min(middle - span / 2, this.session.last));
    this.to = this.from + span;
    this.draw();
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(part) {
    const by = (this.to - this.from) * part;
    this.show(this.from + by, this.to + by);
  }

  reveal(entry) {
    const span = this.to - this.from;
    if (entry.at < this.from || entry.at > this.to) this.show(entry.at - span / 2, entry.at + span / 2);
    else this.draw();
  }

  scroll(by) {
    this.top = Math.max(0, Math.min(this.top + by, this.tall - this.box.clientHeight));
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    if (event.shiftKey) this.pan(Math.sign(event.deltaY || event.deltaX) * 0.1);
    else if (event.ctrlKey || event.offsetX > GUTTER) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.timeAt(event.offsetX));
    else this.scroll(event.deltaY);
  }

  drag(event) {
    const start = event.clientX, from = this.from, to = this.to;
    let moved = false;
    this.box.setPointerCapture(event.pointerId);
    const move = (now) => {
      moved ||= Math.abs(now.clientX - start) > 4;
      const by = ((start - now.clientX) / this.width) * (to - from);
      if (moved) this.show(from + by, to + by);
    };
    const up = (now) => {
      this.box.removeEventListener("pointermove", move);
      const mark = moved ? null : this.nearest(now);
      if (mark) this.choose(mark.entry.index);
    };
    this.box.addEventListener("pointermove", move);
    this.box.addEventListener("pointerup", up, { once: true });
  }

  nearest(event) {
    const { left, top } = this.box.getBoundingClientRect();
    const x = event.clientX - left, y = event.clientY - top;
    let best = null, least = 15;
    for (const mark of this.marks) {
      const away = y < mark.top - 8 || y > mark.bottom + 8 ? Infinity : Math.abs(mark.x - x);
      const far = away + Math.min(Math.abs(y - mark.bottom), Math.abs(y - mark.top)) / 100;
      if (far < least) [best, least] = [mark, far];
    }
    return best;
  }

  hover(event) {
    const mark = this.nearest(event);
    const more = mark && mark.count > 1 ? ` (and ${mark.count - 1} more here)` : "";
    this.box.title = mark ? shown(`#${mark.entry.number} ${mark.entry.summary || mark.entry.title}${more}`) : "";
  }

  draw(shownIndices = this.shownIndices, chosen = this.chosen) {
    this.shownIndices = shownIndices;
    this.chosen = chosen;
    const found = this.collect(shownIndices ?? []);
    this.marks = [...found.values()];
    const paths = new Map();
    for (const mark of this.marks) {
      const arrow = ARROWS.has(mark.look);
      const line = arrow ? `M${mark.x} ${mark.start}V${mark.end}` : "";
      const end = mark.look === "drop" ? (mark.start + mark.end) / 2 : mark.end;
      const half = mark.look === "drop" ? `M${mark.x} ${mark.start}V${end}` : line;
      const parts = paths.get(mark.look) ?? ["", ""];
      parts[0] += half;
      parts[1] += sign(mark.look, mark.x, end, mark.end < mark.start);
      paths.set(mark.look, parts);
    }
    const drawn = [];
    for (const [look, [lines, signs]] of paths) {
      if (lines) drawn.push(svg("path", { class: LOOKS[look][0], d: lines, opacity: 0.75 }));
      drawn.push(pathOf(look, signs));
    }
    const shield = svg("rect", { x: 0, y: 0, width: GUTTER - 8, height: this.box.clientHeight, fill: "var(--back)" });
    this.picture.replaceChildren(...this.ruler(), ...this.machine(), ...drawn, ...this.cursor(), shield, ...this.names());
  }

  // Marks in sight; those of one look that would lie on each other become one.
  collect(shownIndices) {
    const { entries, byTime } = this.session, found = new Map();
    const wanted = new Uint8Array(entries.length);
    for (const index of shownIndices) wanted[index] = 1;
    let low = 0, high = byTime.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[byTime[middle]].at < this.from) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < byTime.length; i += 1) {
      const entry = entries[byTime[i]];
      if (entry.at > this.to) break;
      if (!wanted[entry.index]) continue;
      const x = this.x(entry.at), row = this.rowOf(entry);
      const key = ((row + 1) * 32 + LOOK_NUMBERS[entry.look]) * 65536 + Math.floor(x / COLUMN);
      const before = found.get(key);
      if (before) before.count += 1;
      else {
        const place = this.place(entry, row);
        if (place) found.set(key, { entry, look: entry.look, x: Math.round(x * 10) / 10, count: 1, ...place });
      }
    }
    return found;
  }

  rowOf(entry) {
    if (entry.what === "task" || entry.what === "listener") {
      return this.lanes.length + this.session.machine.findIndex((has) => has.cpu === cpuOf(entry));
    }
    return this.row.get(entry.socket) ?? -1;
  }

  // Where an arrow starts and ends; null where that is out of sight.
  place(entry, row) {
    const y = row < 0 ? this.kernelY : this.laneY(row);
    if (y > this.box.clientHeight + LANE || y < AXIS) return null;
    let start = y, end = y;
    if (ARROWS.has(entry.look)) {
      const other = entry.look === "message" ? this.row.get(this.byPort.get(entry.to || entry.from)) : undefined;
      const far = other === undefined ? this.kernelY : this.laneY(other);
      [start, end] = entry.what === "sent" ? [y, far] : [far, y];
      if (row < 0) end = this.kernelY + LANE; // to nobody
    }
    return { start, end, top: Math.min(start, end), bottom: Math.max(start, end) };
  }

  ruler() {
    const parts = [], span = (this.to - this.from) / 1e9, inOrder = this.session.inOrder;
    const least = 10 ** Math.floor(Math.log10(span / 8));
    const step = Math.max(inOrder ? 1 : 0, least * [1, 2, 5, 10].find((times) => span / (least * times) <= 10));
    const digits = Math.max(0, Math.min(9, -Math.floor(Math.log10(step) + 1e-9)));
    for (let at = Math.ceil(this.from / 1e9 / step); at * step * 1e9 <= this.to; at += 1) {
      const x = this.x(at * step * 1e9);
      parts.push(svg("line", { class: "rule", x1: x, x2: x, y1: AXIS, y2: this.box.clientHeight }));
      parts.push(svg("text", { class: "tick", x: x + 3, y: 14 }, inOrder ? this.nameOf(at * step) : (at * step).toFixed(digits) + " s"));
    }
    return parts;
  }

  nameOf(rank) {
    const entry = this.session.entries[this.session.byTime[rank - 1]];
    return entry ? "#" + entry.number : "";
  }

  names() {
    const parts = [], edge = this.box.clientWidth;
    const put = (name, y, full) => {
      if (y > this.box.clientHeight + LANE || y < AXIS) return;
      const text = svg("text", { x: 8, y: y + 4 }, name.length > 25 ? name.slice(0, 24) + "…" : name);
      text.append(svg("title", {}, full ?? name));
      parts.push(text, svg("line", { class: "rule", x1: GUTTER - 8, x2: edge, y1: y, y2: y }));
    };
    put("kernel", this.kernelY);
    this.lanes.forEach((lane, index) => {
      if (this.laneY(index) > this.kernelY + LANE / 2) put(lane.name, this.laneY(index), `${lane.name}, socket ${lane.socket}`);
    });
    this.session.machine.forEach((has, index) => {
      const y = this.laneY(this.lanes.length + index);
      if (y > this.kernelY + LANE / 2) put(has.cpu, y, `${has.cpu}: tasks as bars, listeners as lines above them`);
    });
    return parts;
  }

  // Tasks are bars in the lane of their CPU, listeners lines above them.
  machine() {
    const parts = [];
    this.session.machine.forEach((has, index) => {
      const y = this.laneY(this.lanes.length + index);
      if (y < AXIS || y > this.box.clientHeight + LANE) return;
      let bars = "", lines = "";
      const seen = new Set();
      has.tasks.forEach((span, number) => {
        const [left, right] = this.reach(span);
        if (left >= right) return;
        const top = y - 7 + (number % 5) * 4, key = `${top} ${Math.round(left)} ${Math.round(right)}`;
        if (seen.has(key)) return;
        seen.add(key);
        bars += `M${left} ${top}H${right}v3H${left}z`;
      });
      for (const span of has.listeners) {
        const [left, right] = this.reach(span);
        if (left < right) lines += `M${left} ${y - 11}H${right}`;
      }
      if (bars) parts.push(svg("path", { class: "bar", d: bars }));
      if (lines) parts.push(svg("path", { class: "heard", d: lines }));
    });
    return parts;
  }

  // From where to where a span is in sight; nothing of it if the first is not less.
  reach({ from, to }) {
    const left = this.x(from ? from.at : this.session.first), right = this.x(to ? to.at : this.session.last);
    return [Math.max(GUTTER - 8, left), Math.min(this.box.clientWidth, Math.max(right, left + 1))];
  }

  cursor() {
    const entry = this.session.entries[this.chosen];
    if (!entry || entry.at < this.from || entry.at > this.to) return [];
    const x = this.x(entry.at);
    return [svg("line", { class: "cursor", x1: x, x2: x, y1: AXIS, y2: this.box.clientHeight })];
  }
}
