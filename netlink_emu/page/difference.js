// Two datagrams field by field.

function namedFields(entry, session) {
  const texts = textsOf(entry), found = new Map();
  (session.shapes.get(entry.shape) ?? []).forEach(([, , name], index) => {
    let key = name, again = 1;
    while (found.has(key)) key = `${name} (${(again += 1)})`;
    found.set(key, texts[index]);
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
  return names.map((name) => ({
    name, ours: ours.get(name), theirs: theirs.get(name), differs: ours.get(name) !== theirs.get(name),
  }));
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
