// Plots in the colours of the theme: drawn by Vega-Lite when they become visible, and again when the theme changes.

const COLOURS = 10; // of lines, in page.css
const [LABEL_SIZE, LABEL_WIDTH] = [12, 130]; // of the names of lines, in pixels
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
  const label = { font, fontSize: LABEL_SIZE };
  return { background: colour("card"), view: { stroke: null }, axis: { ...axis, ...text, titlePadding: 8 }, range, text: label };
}

/** Returns the colours of lines, in their order. */
function lineColours() {
  return Array.from({ length: COLOURS }, (_, index) => colour(`line-${index + 1}`));
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
  const { plot, legend } = state.chart;
  const specification = state.whole ? state.chart.whole : state.chart.specification;
  document.documentElement.dataset.charts = isDark() ? "dark" : "light"; // for the printed page
  const tooltip = (_, event, item, values) => showTip(state, event, item, values);
  const actions = { export: true, source: false, compiled: false, editor: false };
  const options = { renderer: "canvas", actions, ast: true, config: chartConfig(), tooltip };
  const place = el("div", { class: "place" });
  state.view?.finalize();
  box.replaceChildren(place);
  try {
    const labels = labelled(plot, box.clientWidth);
    const datasets = { lines: plotRows(plot), labels: labels.map(({ name }) => ({ name, at: 0 })) };
    const result = await window.vegaEmbed(place, { ...specification, datasets }, options);
    if (turn !== state.turn) return result.finalize();
    state.view = result.view;
    state.dot = place.appendChild(el("i", { class: "point", hidden: true }));
    placeLabels(result.view, labels);
    legend.apply(result.view);
  } catch (error) {
    box.replaceChildren(emptyNote("This chart could not be drawn."));
    console.warn(`A chart could not be drawn: ${error.message}`);
  }
}

/** Draws the page's other charts one by one while the browser is idle, so that they are there when it prints. */
function drawInIdleTime() {
  const [box] = [...drawnCharts].find(([place, state]) => place.isConnected && !state.turn) ?? [];
  if (!box) return;
  const wait = window.requestIdleCallback ?? ((then) => setTimeout(then, 200));
  wait(async () => {
    if (box.isConnected && !drawnCharts.get(box).turn) await draw(box);
    drawInIdleTime();
  });
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
