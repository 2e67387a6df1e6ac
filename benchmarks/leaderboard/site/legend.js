// The legends of a track's plots. Each plot has one, and all of them hide or show a line in all plots.

/** Returns `{apply, legendOf, dashes}` for the lines of a track's plots. */
function chartLegends({ names: lineNames, dashes }) {
  const hidden = new Set();
  const [boxes, buttons] = [new Set(), []];
  let marked = "";
  const apply = (view) =>
    view
      .signal("hidden", [...hidden])
      .signal("marked", marked)
      .runAsync();
  const applyAll = () => boxes.forEach((box) => drawnCharts.get(box).view && apply(drawnCharts.get(box).view));
  const mark = (name) => () => {
    marked = hidden.has(name) ? "" : name;
    applyAll();
  };
  const toggle = (name) => {
    if (!hidden.delete(name)) hidden.add(name);
    for (const button of buttons)
      if (button.dataset.line === name) button.setAttribute("aria-pressed", String(!hidden.has(name)));
    mark(name)();
  };
  const legendOf = (plot, box) => {
    boxes.add(box);
    const drawn = new Set(plot.lines.map(({ name }) => name));
    const own = lineNames.flatMap((name, index) =>
      drawn.has(name) ? [legendButton(name, lineSwatch(index, dashes[index]), toggle, mark)] : [],
    );
    buttons.push(...own);
    return el("div", { class: "legend", role: "group", "aria-label": `Lines of ${plot.title}` }, ...own);
  };
  return { apply, legendOf };
}

/** Returns a short piece of a line in its colour and with its dashes. */
function lineSwatch(index, dashes) {
  const line = svg("line", { x1: 1, x2: 31, y1: 5, y2: 5, "stroke-dasharray": dashes.join(" ") });
  const swatch = svg("svg", { width: 32, height: 10, "aria-hidden": "true" }, line);
  swatch.style.stroke = `var(--line-${(index % COLOURS) + 1})`;
  return swatch;
}

/** Returns a line's button in a legend; with the pointer or the focus on it the line is highlighted. */
function legendButton(name, swatch, toggle, mark) {
  const events = { pointerenter: mark(name), pointerleave: mark(""), focus: mark(name), blur: mark("") };
  const attributes = { type: "button", "data-line": name, "aria-pressed": "true", click: () => toggle(name) };
  return el("button", { ...attributes, ...events }, swatch, el("span", {}, name));
}
