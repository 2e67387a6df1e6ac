// Plots in the colours of the theme: drawn by Vega-Lite when they become visible, and again when the theme changes.

const VALUES_SHOWN = 6; // values of a line in the table below a plot
const drawnCharts = new Map(); // by box: {chart, view}, the view once it is drawn
const sight = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && drawnCharts.has(target) && !drawnCharts.get(target).view) draw(target);
    }
  },
  { rootMargin: "200px" },
);

/** Returns the page's colour of a name, as Vega reads it. */
function colour(name) {
  const probe = document.body.appendChild(el("i"));
  probe.style.color = `var(--${name})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Returns Vega's configuration in the colours of the theme. */
function chartConfig() {
  const [ink, muted, line] = ["ink", "muted", "line"].map(colour);
  const font = getComputedStyle(document.body).fontFamily;
  const axis = { labelColor: muted, titleColor: ink, gridColor: line, domainColor: line, tickColor: line };
  const text = { labelFont: font, titleFont: font, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
  const range = { category: lineColours() };
  return { background: "transparent", view: { stroke: null }, axis: { ...axis, ...text, titlePadding: 8 }, range };
}

/** Returns the colours of lines, in their order. */
function lineColours() {
  return Array.from({ length: 10 }, (_, index) => colour(`line-${index + 1}`));
}

/** Returns a plot's points, one row each. */
function plotRows(plot) {
  return plot.lines.flatMap(({ name, x, value, low, high }) =>
    x.map((_, index) => ({ name, x: x[index], value: value[index], low: low[index], high: high[index] })),
  );
}

/** Shows a tooltip with the values of a point, and marks the point; hides both where there are no values. */
function showTip({ view, dot }, event, item, values) {
  const tip = document.getElementById("tip");
  tip.hidden = dot.hidden = !values;
  if (!values) return;
  const mark = item.datum.datum ? item.datum : item; // the nearest point where the pointer is on none
  const [place, canvas] = [dot.parentElement, dot.parentElement.querySelector("canvas")].map((box) =>
    box.getBoundingClientRect(),
  );
  const [x, y] = [view.origin()[0] + view.padding().left + mark.x, view.origin()[1] + view.padding().top + mark.y];
  dot.style.translate = `${canvas.left - place.left + x}px ${canvas.top - place.top + y}px`;
  dot.style.background = mark.fill;
  const pairs = Object.entries(values).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value)));
  tip.replaceChildren(el("b", {}, mark.datum.name), el("dl", {}, ...pairs));
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${Math.max(Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8), 8)}px`;
}

/** Draws the chart of a box; writes a message into the box where that fails. */
async function draw(box) {
  const state = drawnCharts.get(box);
  const turn = (state.turn = (state.turn ?? 0) + 1);
  const { specification, plot, legend } = state.chart;
  const tooltip = (_, event, item, values) => showTip(state, event, item, values);
  const actions = { export: true, source: false, compiled: false, editor: false };
  const options = { renderer: "canvas", actions, ast: true, config: chartConfig(), tooltip };
  const place = el("div", { class: "place" });
  state.view?.finalize();
  box.replaceChildren(place);
  try {
    const result = await window.vegaEmbed(place, { ...specification, datasets: { lines: plotRows(plot) } }, options);
    if (turn !== state.turn) return result.finalize();
    state.view = result.view;
    state.dot = place.appendChild(el("i", { class: "point", hidden: true }));
    legend.apply(result.view);
  } catch (error) {
    box.replaceChildren(emptyNote("This chart could not be drawn."));
    console.warn(`A chart could not be drawn: ${error.message}`);
  }
}

/** Draws all drawn charts again in the colours of a new theme; those outside the page when they are next visible. */
function redrawCharts() {
  for (const [box, state] of drawnCharts) {
    if (!state.turn) continue; // neither drawn nor being drawn
    if (box.isConnected) draw(box);
    else {
      state.turn += 1; // a drawing under way is discarded
      state.view?.finalize();
      state.view = null;
    }
  }
}

/** Returns a plot with its title. */
function chartFigure(chart) {
  const box = el("div", { class: "chart" });
  drawnCharts.set(box, { chart, view: null });
  sight.observe(box);
  return el("figure", { class: "plot" }, el("figcaption", {}, chart.plot.title), box, valuesBelow(chart.plot));
}

/** Returns a plot's values as a table to open, for readers without a pointer. */
function valuesBelow(plot) {
  return el("details", {}, el("summary", {}, "Values"), valuesTable(plot));
}

/** Returns a table of a plot's lines at evenly spread x of the first line. */
function valuesTable({ title, x_label: xLabel, y_label: yLabel, lines }) {
  const last = lines[0].x.length - 1;
  const steps = Math.min(last, VALUES_SHOWN - 1);
  const columns = Array.from({ length: steps + 1 }, (_, step) => lines[0].x[steps ? Math.round((step * last) / steps) : 0]);
  const nearest = (line, x) =>
    line.x.reduce((best, at, index) => (Math.abs(at - x) < Math.abs(line.x[best] - x) ? index : best), 0);
  const rows = lines.map((line) => {
    const cells = columns.map((x) => {
      const index = nearest(line, x);
      return el("td", { class: "number" }, metricCell([line.value[index], line.low[index], line.high[index]]));
    });
    return el("tr", {}, el("th", { scope: "row" }, line.name), ...cells);
  });
  const heads = columns.map((x) => el("th", { scope: "col", class: "number" }, shown(x)));
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, `${yLabel} by ${xLabel}`), ...heads));
  return scrollBox(`${title}: values`, el("table", {}, head, el("tbody", {}, ...rows)));
}

/**
 * Returns `{element, apply, boxes}`: buttons that hide or show a line in all charts of the set `boxes`. A button with
 * the pointer or the focus highlights its line.
 */
function chartLegend(lineNames, dashed) {
  const hidden = new Set();
  let marked = "";
  const legend = { boxes: new Set() };
  legend.apply = (view) =>
    view
      .signal("hidden", [...hidden])
      .signal("marked", marked)
      .runAsync();
  const applyAll = () =>
    legend.boxes.forEach((box) => drawnCharts.get(box).view && legend.apply(drawnCharts.get(box).view));
  const mark = (name) => () => {
    marked = hidden.has(name) ? "" : name;
    applyAll();
  };
  const toggle = (name, button) => {
    if (!hidden.delete(name)) hidden.add(name);
    button.setAttribute("aria-pressed", String(!hidden.has(name)));
    mark(name)();
  };
  const buttons = lineNames.map((name, index) => legendButton(name, index, dashed(name), toggle, mark));
  legend.element = el("div", { class: "legend", role: "group", "aria-label": "Lines of the plots" }, ...buttons);
  return legend;
}

/** Returns a line's button in a legend. */
function legendButton(name, index, dashed, toggle, mark) {
  const swatch = svg(
    "svg",
    { width: 22, height: 10, "aria-hidden": "true" },
    svg("line", { x1: 1, x2: 21, y1: 5, y2: 5, "stroke-dasharray": dashed ? "6 3" : null }),
  );
  swatch.style.stroke = `var(--line-${(index % 10) + 1})`;
  const events = { pointerenter: mark(name), pointerleave: mark(""), focus: mark(name), blur: mark("") };
  const click = (event) => toggle(name, event.currentTarget);
  return el("button", { type: "button", "aria-pressed": "true", click, ...events }, swatch, el("span", {}, name));
}
