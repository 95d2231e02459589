// A datagram's fields beside its bytes: what is pointed at in one lights up in the other.

class Fields {
  constructor(fieldsBox, bytesBox) {
    this.rows = [];
    this.lit = null; // {from, to} of the bytes
    this.fields = new List(fieldsBox, (index) => this.fieldRow(index));
    this.bytes = new List(bytesBox, (index) => this.bytesRow(index));
    fieldsBox.addEventListener("mouseover", (event) => this.point(rowAt(event)));
    bytesBox.addEventListener("mouseover", (event) => {
      const at = event.target.dataset?.at;
      if (at !== undefined) this.point(this.rowOf(Number(at)), true);
    });
    for (const box of [fieldsBox, bytesBox]) box.addEventListener("mouseleave", () => this.point(-1));
    fieldsBox.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: this.fields.page, PageUp: -this.fields.page }[event.key];
      if (by === undefined || !this.rows.length) return;
      event.preventDefault();
      event.stopPropagation();
      this.point(Math.max(0, Math.min((this.pointed ?? -1) + by, this.rows.length - 1)), true);
    });
  }

  show(entry, session) {
    this.data = entry ? bytesOf(entry) : new Uint8Array();
    this.rows = (entry && session.shapes.get(entry.shape)) || [];
    this.texts = entry ? textsOf(entry) : [];
    this.pointed = -1;
    this.fields.box.scrollTop = this.bytes.box.scrollTop = 0;
    this.fields.show(this.rows.length);
    this.bytes.show(Math.ceil(this.data.length / 16));
  }

  // The row that has a byte; rows do not overlap, and stand in order.
  rowOf(at) {
    let low = 0, high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle][0] <= at) low = middle;
      else high = middle - 1;
    }
    return this.rows.length ? low : -1;
  }

  // Elements in sight stay, so that the pointer is over the same one afterwards.
  point(index, reveal = false) {
    if (index === this.pointed) return;
    this.pointed = index;
    const row = this.rows[index];
    if (row && reveal) this.fields.reveal(index);
    if (row) this.bytes.reveal(Math.floor(row[0] / 16));
    for (const made of this.fields.tall.children) made.classList.toggle("over", Number(made.dataset.index) === index);
    for (const made of this.bytes.tall.querySelectorAll("[data-at]")) {
      made.classList.toggle("over", this.isLit(Number(made.dataset.at)));
    }
  }

  isLit(at) {
    const row = this.rows[this.pointed];
    return row !== undefined && at >= row[0] && at < row[0] + row[1];
  }

  fieldRow(index) {
    const [offset, , name] = this.rows[index];
    const row = element("div", "field" + (index === this.pointed ? " over" : ""));
    const depth = name.split("/").length - 1;
    const label = element("span", "name", "  ".repeat(depth) + name.slice(name.lastIndexOf("/") + 1));
    label.title = shown(name);
    const value = element("span", "value", this.texts[index] ?? "");
    value.title = value.textContent;
    row.append(element("span", "at", String(offset)), label, value);
    return row;
  }

  bytesRow(index) {
    const row = element("div", "bytes"), start = index * 16;
    row.append(element("span", "at", start.toString(16).padStart(4, "0") + "  "));
    const letters = [];
    for (let at = start; at < start + 16; at += 1) {
      const there = at < this.data.length, byte = this.data[at];
      const gap = at === start ? "" : at % 8 ? " " : "  ";
      if (gap) row.append(gap);
      const className = there && this.isLit(at) ? "over" : "";
      const hex = element("span", className, there ? byte.toString(16).padStart(2, "0") : "  ");
      const letter = element("span", className, !there ? " " : byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".");
      if (there) hex.dataset.at = letter.dataset.at = at;
      row.append(hex);
      letters.push(letter);
    }
    row.append("  ", ...letters);
    return row;
  }
}
