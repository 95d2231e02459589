// A list of which only the rows in sight are there.

const ROW = 20; // as in page.css
const TALLEST = 8e6; // pixels that every browser can scroll

class List {
  constructor(box, makeRow) {
    this.box = box;
    this.makeRow = makeRow;
    this.count = 0;
    this.tall = element("div", "tall");
    box.append(this.tall);
    box.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(box);
  }

  get height() { return Math.min(this.count * ROW, TALLEST); }

  // The first row in sight: of more rows than a browser has pixels for, in proportion.
  get first() {
    const room = this.height - this.box.clientHeight;
    if (this.count * ROW <= TALLEST) return this.box.scrollTop / ROW;
    return (this.box.scrollTop / room) * (this.count - this.box.clientHeight / ROW);
  }

  show(count) {
    this.count = count;
    this.tall.style.height = this.height + "px";
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.first));
    const last = Math.min(this.count, first + Math.ceil(this.box.clientHeight / ROW) + 2);
    const top = this.count * ROW <= TALLEST ? first * ROW : this.box.scrollTop;
    const rows = [];
    for (let index = first; index < last; index += 1) {
      const row = this.makeRow(index);
      row.classList.add("row");
      row.style.top = top + (index - first) * ROW + "px";
      row.dataset.index = index;
      rows.push(row);
    }
    this.tall.replaceChildren(...rows);
  }

  // The row comes into sight; false, and nothing moves, if it is there already.
  reveal(index) {
    const seen = this.box.clientHeight / ROW;
    const first = this.first;
    if (index >= first && index <= first + seen - 1) return false;
    const wanted = Math.max(0, Math.min(index - seen / 2, this.count - seen));
    if (this.count * ROW <= TALLEST) this.box.scrollTop = wanted * ROW;
    else this.box.scrollTop = (wanted / (this.count - seen)) * (this.height - this.box.clientHeight);
    this.draw();
    return true;
  }

  get page() { return Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1); }
}

function rowAt(event) {
  const row = event.target.closest?.(".row");
  return row ? Number(row.dataset.index) : -1;
}
