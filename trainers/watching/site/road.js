// The places of a recorded episode from above: a road or a circle of nodes, and arrows for what they send.

const [LEAST_HEIGHT, GREATEST_HEIGHT, MARGIN, RADIUS, LANE_M] = [130, 420, 30, 9, 3.2];

/** The kinds of nodes: the word in the legend, the shape of the mark, and whether a node stands beside the road. */
const KINDS = {
  client: { word: "client vehicle", shape: "circle" },
  vehicle: { word: "vehicle", shape: "circle" },
  device: { word: "device", shape: "circle" },
  service: { word: "service vehicle", shape: "square" },
  rsu: { word: "roadside unit", shape: "diamond", beside: true },
  server: { word: "server", shape: "diamond", beside: true },
};

/** Returns the least and the greatest of numbers; null is left out. */
function extent(numbers) {
  const known = numbers.filter((x) => x !== null);
  if (known.length === 0) return [0, 0];
  return known.reduce(([least, greatest], x) => [Math.min(least, x), Math.max(greatest, x)], [Infinity, -Infinity]);
}

/**
 * Returns the projection of metres to pixels in a picture of some width: `{x, y, width, height, stretch, pixelsPerMetre}`.
 * A narrow road is drawn `stretch` times wider than to scale, so that vehicles side by side do not overlap.
 */
function projection(recording, width) {
  const [left, right] = extent(recording.frames.flatMap((frame) => frame.x_m));
  const [bottom, top] = extent(recording.frames.flatMap((frame) => frame.y_m));
  const [long, wide] = [Math.max(right - left, 1), top - bottom];
  const fit = Math.min((width - 2 * MARGIN) / long, wide > 0 ? GREATEST_HEIGHT / wide : Infinity);
  const stretch = wide > 0 ? Math.max(1, LEAST_HEIGHT / (wide * fit)) : 1;
  const inner = wide > 0 ? wide * fit * stretch : LEAST_HEIGHT / 2;
  return {
    x: (metres) => width / 2 + (metres - (left + right) / 2) * fit,
    y: (metres) => MARGIN + inner / 2 - (metres - (bottom + top) / 2) * fit * stretch,
    width,
    height: inner + 2 * MARGIN + 16,
    stretch,
    pixelsPerMetre: fit,
  };
}

/** Returns an offset in pixels for each vehicle where lanes are few or narrow, and vehicles would hide each other. */
function sidesteps({ nodes, frames, street }, map) {
  const vehicles = vehicleIndices(nodes);
  const lanes = new Set(frames.flatMap((frame) => vehicles.map((index) => frame.y_m[index])));
  const narrow = street !== undefined && LANE_M * map.pixelsPerMetre * map.stretch < RADIUS;
  const apart = narrow || lanes.size <= 2;
  return nodes.map(({ kind }, index) => (KINDS[kind].beside || !apart ? 0 : ((index % 3) - 1) * 7));
}

/** Returns the indices of the nodes that do not stand beside the road. */
function vehicleIndices(nodes) {
  return nodes.flatMap(({ kind }, index) => (KINDS[kind].beside ? [] : [index]));
}

/**
 * Returns whether a node does not drive from one slot to the next: it is absent in one of them, is another vehicle, or
 * is too far away.
 */
function jumps(map, from, to, index) {
  if (from.x_m[index] === null || to.x_m[index] === null || to.arrived.includes(index)) return true;
  return Math.abs(map.x(to.x_m[index]) - map.x(from.x_m[index])) > map.width / 3;
}

/**
 * Returns the positions of the nodes in pixels at a time in slots; null for a node that is absent. Positions that jump
 * are not interpolated.
 */
function placesAt(recording, map, aside, time) {
  const slot = Math.min(Math.floor(time), recording.frames.length - 1);
  const [now, next] = [recording.frames[slot], recording.frames[slot + 1] ?? recording.frames[slot]];
  const place = (frame, index) => [map.x(frame.x_m[index]), map.y(frame.y_m[index]) + aside[index]];
  return recording.nodes.map((_, index) => {
    if (now.x_m[index] === null) return null;
    const from = place(now, index);
    if (jumps(map, now, next, index)) return from;
    const to = place(next, index);
    return from.map((pixel, axis) => pixel + (time - slot) * (to[axis] - pixel));
  });
}

/** Returns the text on a node's mark: the number at the end of its name, or its first letter. */
function markText(name) {
  return name.match(/\d{1,3}$/)?.[0] ?? name.slice(0, 1).toUpperCase();
}

/** Returns a node's mark, of the shape and colour of its kind. */
function nodeMark({ name, kind }) {
  const square = { x: -RADIUS, y: -RADIUS, width: 2 * RADIUS, height: 2 * RADIUS, rx: 3 };
  const shapes = {
    circle: () => svg("circle", { r: RADIUS }),
    square: () => svg("rect", square),
    diamond: () => svg("rect", { ...square, transform: "rotate(45)" }),
  };
  const label = svg("text", { dy: "0.35em" }, markText(name));
  return svg("g", { class: `node ${kind}` }, svg("title", {}, name), shapes[KINDS[kind].shape](), label);
}

/** Returns the paths of all vehicles, which together show the road. */
function roadPaths(recording, map) {
  const step = (frame, previous, index) => {
    if (frame.x_m[index] === null) return "";
    const command = !previous || jumps(map, previous, frame, index) ? "M" : "L";
    return `${command}${map.x(frame.x_m[index]).toFixed(1)} ${map.y(frame.y_m[index]).toFixed(1)}`;
  };
  return vehicleIndices(recording.nodes).map((index) => {
    const d = recording.frames.map((frame, slot) => step(frame, recording.frames[slot - 1], index)).join("");
    return svg("path", { class: "road", d });
  });
}

/** Returns the lanes and junctions of the street in its true shape. A narrow road is stretched as the places are. */
function streetShapes({ lanes, junctions }, map) {
  const onto = (numbers) =>
    numbers.flatMap((x, index) => (index % 2 ? [] : `${map.x(x).toFixed(1)} ${map.y(numbers[index + 1]).toFixed(1)}`));
  const areas = junctions.map((numbers) => svg("path", { class: "junction", d: `M${onto(numbers).join("L")}Z` }));
  const ways = lanes.map(([width, ...numbers]) => {
    const [east, north] = [numbers.at(-2) - numbers[0], numbers.at(-1) - numbers[1]];
    const wider = (map.stretch * Math.hypot(east, north)) / Math.hypot(east, map.stretch * north) || 1;
    const pixels = Math.max(width * map.pixelsPerMetre * wider - 1, 1.5);
    return svg("path", { class: "lane", d: `M${onto(numbers).join("L")}`, "stroke-width": pixels.toFixed(1) });
  });
  return [...areas, ...ways];
}

/** Returns a scale bar of a round number of metres. */
function scaleBar(map) {
  const wanted = map.width / 4 / map.pixelsPerMetre;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const metres = [5, 2, 1].find((digit) => digit * power <= wanted) * power;
  const [x, y, length] = [MARGIN / 2, map.height - 8, metres * map.pixelsPerMetre];
  const bar = svg("path", { d: `M${x} ${y - 4}v4h${length}v-4` });
  return svg("g", { class: "scale-bar" }, bar, svg("text", { x: x + length + 6, y }, `${shownMetres(metres)}`));
}

/** Returns a length as text. */
function shownMetres(metres) {
  return metres >= 1000 ? `${metres / 1000} km` : `${metres} m`;
}

/** Returns the heads of arrows, one for each kind of target. */
function arrowHeads() {
  const head = (kind) =>
    svg(
      "marker",
      {
        id: `arrow-${kind}`,
        class: kind,
        viewBox: "0 0 8 8",
        refX: 7,
        refY: 4,
        markerWidth: 6,
        markerHeight: 6,
        orient: "auto",
      },
      svg("path", { d: "M0 0L8 4L0 8z" }),
    );
  return svg("defs", {}, ...Object.keys(KINDS).map(head));
}

/** Returns the path of an arrow: curved, so that it avoids nodes in between, and ending at the rim of the mark. */
function arrowPath([x1, y1], [x2, y2]) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const bow = Math.min(0.18 * length, 40) * (x2 >= x1 ? 1 : -1);
  const [cx, cy] = [(x1 + x2) / 2 + ((y2 - y1) / length) * bow, (y1 + y2) / 2 - ((x2 - x1) / length) * bow];
  const toEnd = Math.hypot(x2 - cx, y2 - cy) || 1;
  const keep = Math.max(toEnd - RADIUS - 4, 1) / toEnd;
  return `M${x1} ${y1}Q${cx} ${cy} ${cx + (x2 - cx) * keep} ${cy + (y2 - cy) * keep}`;
}

/** Returns a link's arrow, and around it a wide invisible one that is easy to point at. */
function linkArrow(nodes, [from, to, what]) {
  const title = svg("title", {}, `${nodes[from].name} → ${nodes[to].name}: ${what}`);
  const kind = nodes[to].kind;
  const line = svg("path", { class: "line", "marker-end": `url(#arrow-${kind})` });
  return svg("g", { class: `link ${kind}` }, title, svg("path", { class: "aim" }), line);
}

/** Returns `{element, show}`: the road from above, and a function that shows a time in slots. */
function roadPicture(recording, width) {
  const map = projection(recording, width);
  const aside = sidesteps(recording, map);
  const links = svg("g");
  const marks = recording.nodes.map(nodeMark);
  let slot = -1;
  const show = (time) => {
    const places = placesAt(recording, map, aside, time);
    const frame = recording.frames[Math.floor(time)];
    if (slot !== (slot = Math.floor(time))) {
      links.replaceChildren(...between(frame).map((link) => linkArrow(recording.nodes, link)));
    }
    marks.forEach((mark, index) => {
      mark.toggleAttribute("hidden", places[index] === null);
      if (places[index]) mark.setAttribute("transform", `translate(${places[index].map((p) => p.toFixed(1))})`);
    });
    between(frame).forEach(([from, to], index) => {
      for (const path of links.children[index].querySelectorAll("path"))
        path.setAttribute("d", arrowPath(places[from], places[to]));
    });
  };
  const size = { width, height: map.height, viewBox: `0 0 ${width} ${map.height}` };
  const known = recording.street?.lanes.length > 0;
  const road = svg("g", {}, ...(known ? streetShapes(recording.street, map) : roadPaths(recording, map)));
  const label = { role: "img", "aria-label": "The nodes from above" };
  const element = svg("svg", { class: "map", ...size, ...label }, arrowHeads(), road, links, ...marks, scaleBar(map));
  return { element, show, stretch: map.stretch };
}

/** Returns the links between two nodes that are present. A link of a node to itself has no arrow. */
function between({ x_m, links }) {
  return links.filter(([from, to]) => from !== to && x_m[from] !== null && x_m[to] !== null);
}
