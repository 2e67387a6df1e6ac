// A plot with its title, its legend and a table of its values.

const VALUES_SHOWN = 6; // values of a line in the table below a plot
const [LATE_RANGE, WHOLE_RANGE] = ["Show the whole training", "Show the end of the training"];

/** Returns a plot as a figure. A chart is `{plot, specification, whole, legend}`, `whole` with a y axis for all points. */
function chartFigure(chart) {
  const box = el("div", { class: "chart" });
  const state = { chart, view: null, whole: false };
  drawnCharts.set(box, state);
  sight.observe(box);
  return el(
    "figure",
    { class: "plot" },
    el("figcaption", {}, chart.plot.title),
    chart.legend.legendOf(chart.plot, box),
    chart.whole ? rangeButton(box, state) : null,
    box,
    valuesBelow(chart.plot),
  );
}

/** Returns a button that shows all points of a plot, or the range of the last ones. */
function rangeButton(box, state) {
  const click = () => {
    state.whole = !state.whole;
    button.textContent = state.whole ? WHOLE_RANGE : LATE_RANGE;
    draw(box);
  };
  const button = el("button", { type: "button", class: "range", click }, LATE_RANGE);
  return button;
}

/** Returns a plot's values as a table to open, for readers without a pointer. */
function valuesBelow(plot) {
  return el("details", {}, el("summary", {}, "Values"), valuesTable(plot));
}

/** Returns a table of a plot's lines at some x. */
function valuesTable({ title, x_label: xLabel, y_label: yLabel, lines }) {
  const columns = tellingPlaces(lines);
  const rows = lines.map((line) => {
    const cells = columns.map((x) => el("td", { class: "number" }, metricCell(pointAt(line, x))));
    return el("tr", {}, el("th", { scope: "row" }, line.name), ...cells);
  });
  const heads = columns.map((x) => el("th", { scope: "col", class: "number" }, `${xLabel} ${shown(x)}`));
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, yLabel), ...heads));
  return tableBox(`${title}: values`, el("table", { class: "values" }, head, el("tbody", {}, ...rows)));
}

/** Returns a line's value and the ends of its band at the point nearest to an x. */
function pointAt({ x, value, low, high }, wanted) {
  const index = x.reduce((best, at, k) => (Math.abs(at - wanted) < Math.abs(x[best] - wanted) ? k : best), 0);
  return [value[index], low[index], high[index]];
}

/**
 * Returns the x at which a table tells the lines apart, in their order: at first the x where most pairs of lines differ,
 * then those where most of the other pairs do, and where no more pairs differ, x that are spread evenly.
 */
function tellingPlaces(lines) {
  const candidates = lines.reduce((longest, { x }) => (x.length > longest.length ? x : longest), []);
  const wanted = Math.min(VALUES_SHOWN, candidates.length);
  const differing = new Map(candidates.map((x) => [x, differingPairs(lines, x)]));
  const [chosen, told] = [new Set(), new Set()];
  const fresh = (x) => differing.get(x).filter((pair) => !told.has(pair)).length;
  while (chosen.size < wanted) {
    const best = candidates.reduce((one, other) => (fresh(other) > fresh(one) ? other : one));
    if (fresh(best) === 0) break;
    chosen.add(best);
    differing.get(best).forEach((pair) => told.add(pair));
  }
  return filledUp(chosen, candidates, wanted).sort((a, b) => a - b);
}

/** Returns the chosen x and further ones, each as far from the others as can be, until there are `wanted`. */
function filledUp(chosen, candidates, wanted) {
  const all = chosen.size ? [...chosen] : [candidates.at(-1)];
  const distance = (x) => Math.min(...all.map((other) => Math.abs(x - other)));
  while (all.length < wanted) all.push(candidates.reduce((one, other) => (distance(other) > distance(one) ? other : one)));
  return all;
}

/** Returns the pairs of lines that differ in three digits at an x, as numbers. */
function differingPairs(lines, x) {
  const values = lines.map((line) => pointAt(line, x)[0].toPrecision(3));
  return values.flatMap((one, i) => values.slice(0, i).flatMap((other, j) => (one === other ? [] : [i * lines.length + j])));
}
