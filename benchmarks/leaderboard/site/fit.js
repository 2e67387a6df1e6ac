// Tables that show all cells at every width: a table that is too wide gets tighter, and in the end a card for each row.

const FITS = ["wide", "tight", "dense", "cards"]; // the first that fits is used; cards always fit
const ROLES = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell", caption: "caption" };

// A ruler is as wide as its box and has no height, so a table that changes its height does not call this again.
const rulers = new ResizeObserver((entries) => entries.forEach(({ target }) => fitTable(target.parentElement)));

/** Returns a box whose table shows all of its cells; `label` names it to screen readers. */
function tableBox(label, table) {
  const ruler = el("i", { class: "ruler", "aria-hidden": "true" });
  const box = el("div", { class: "fitted", role: "region", "aria-label": label }, ruler, table);
  nameCells(table);
  rulers.observe(ruler);
  return box;
}

/** Gives each cell the label of its column, which a card shows, and the roles that CSS would take from a table. */
function nameCells(table) {
  const heads = [...table.tHead.rows[0].cells];
  for (const element of [table, ...table.querySelectorAll(Object.keys(ROLES).join())])
    element.setAttribute("role", ROLES[element.localName]);
  for (const head of heads) if (head.localName === "th") head.setAttribute("role", "columnheader");
  for (const row of table.tBodies[0].rows) {
    [...row.cells].forEach((cell, index) => {
      if (cell.localName === "th") cell.setAttribute("role", "rowheader");
      else cell.dataset.label = heads[index].textContent;
    });
  }
}

/** Chooses the widest look of a table in which no cell is cut off. */
function fitTable(box) {
  if (box.clientWidth === 0) return; // in a part that is not shown
  for (const fit of FITS) {
    box.dataset.fit = fit;
    if (box.scrollWidth <= box.clientWidth) return;
  }
}

/** Fits all tables of the page. */
function fitTables() {
  document.querySelectorAll(".fitted").forEach(fitTable);
}

/** Gives the page the width of printed paper while it is printed, and fits its tables to that. */
function setPrinting(printing) {
  document.documentElement.toggleAttribute("data-printing", printing);
  fitTables();
}

addEventListener("beforeprint", () => setPrinting(true));
addEventListener("afterprint", () => setPrinting(false));
