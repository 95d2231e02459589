// Two datagrams field by field.

function namedFields(entry, session) {
  const texts = textsOf(entry), found = new Map();
  (session.shapes.get(entry.shape) ?? []).forEach(([at, size, name], index) => {
    let key = name, again = 1;
    while (found.has(key)) key = `${name} (${(again += 1)})`;
    const cut = texts[index].endsWith(" bytes)"); // then all of it is compared
    found.set(key, { text: texts[index], bytes: cut ? entry.bytes.substr(2 * at, 2 * size) : "" });
  });
  return found;
}

// The fields of either, in the order of the one, those of the other alone behind their neighbour.
function differenceOf(one, other, session) {
  const ours = namedFields(one, session), theirs = namedFields(other, session);
  const names = [...ours.keys()];
  let behind = -1;
  for (const name of theirs.keys()) {
    const at = ours.has(name) ? names.indexOf(name) : -1;
    if (at >= 0) behind = at;
    else names.splice((behind += 1), 0, name);
  }
  const ignored = new Set(session.meta.ignored ?? []);
  return names.map((name) => {
    const one = ours.get(name), other = theirs.get(name);
    const same = one?.text === other?.text && one?.bytes === other?.bytes;
    const last = name.slice(name.lastIndexOf("/") + 1).replace(/ \(\d+\)$/, "");
    return { name, ours: one?.text, theirs: other?.text, differs: !same && !ignored.has(last) };
  });
}

class Difference {
  constructor(list) {
    this.list = list;
    this.rows = [];
  }

  show(one, other, session) {
    this.rows = differenceOf(one, other, session);
    this.list.box.scrollTop = 0;
    this.list.show(this.rows.length);
    return this.rows.filter((row) => row.differs).length;
  }

  row(index) {
    const { name, ours, theirs, differs } = this.rows[index];
    const row = element("div", "field" + (differs ? " differs" : ""));
    const label = element("span", "name", (differs ? "≠ " : "  ") + name);
    label.title = shown(name);
    row.append(label, element("span", "value", ours ?? "—"), element("span", "value", theirs ?? "—"));
    return row;
  }
}
