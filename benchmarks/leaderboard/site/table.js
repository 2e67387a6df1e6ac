// Tables that a click on a head sorts.
//
// A column is {label, value, cell, numeric, best, title}. `value(row)` is the number or text to sort by, or null.
// `cell(row)` is the node or text to show. `best` is "high" where the first click brings the greatest to the top.

const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Returns rows by a column's values; rows without a value stay last both ways. */
function sorted(rows, column, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [column.value(a) ?? null, column.value(b) ?? null];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "number" ? x - y : names.compare(x, y));
  });
}

/** Returns the direction in which a click on a column sorts. */
function nextDirection(column, now) {
  if (now === "none") return column.best === "high" ? "descending" : "ascending";
  return now === "ascending" ? "descending" : "ascending";
}

/** Returns a column's head: a cell with a button, which says how the column is sorted. */
function headCell(column, click) {
  const button = el("button", { type: "button", click, title: column.title ?? null }, column.label, el("i"));
  return el("th", { scope: "col", class: column.numeric ? "number" : null, "aria-sort": "none" }, button);
}

/** Returns a row's element; the cells of columns with `rowHead` are heads of the row. */
function rowElement(columns, row) {
  const cells = columns.map((column) => {
    const attributes = { class: column.numeric ? "number" : column.wide ? "wide" : null };
    return column.rowHead
      ? el("th", { scope: "row", ...attributes }, column.cell(row))
      : el("td", attributes, column.cell(row));
  });
  return el("tr", {}, ...cells);
}

/**
 * Returns `{box, show}`: a table in its box, and a function that shows the rows of a predicate and returns their number.
 * The rows begin in the order of `rows`.
 */
function sortableTable(label, columns, rows) {
  const body = el("tbody");
  const elements = new Map(rows.map((row) => [row, rowElement(columns, row)]));
  const heads = columns.map((column, index) => headCell(column, () => sortBy(index)));
  const sortBy = (index) => {
    const direction = nextDirection(columns[index], heads[index].getAttribute("aria-sort"));
    heads.forEach((head, other) => head.setAttribute("aria-sort", other === index ? direction : "none"));
    body.append(...sorted(rows, columns[index], direction).map((row) => elements.get(row)));
  };
  const show = (keep) => {
    for (const [row, element] of elements) element.hidden = !keep(row);
    return rows.filter(keep).length;
  };
  body.append(...elements.values());
  const table = el(
    "table",
    {},
    el("caption", { class: "hidden-text" }, label),
    el("thead", {}, el("tr", {}, ...heads)),
    body,
  );
  return { box: tableBox(label, table), show };
}
