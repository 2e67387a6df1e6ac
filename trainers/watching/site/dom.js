// Elements, and numbers as text. Texts of results enter the page as text nodes: nothing here parses markup.

const SVG_NAMES = "http://www.w3.org/2000/svg";

/** Sets an element's attributes and children. A function becomes a listener, true an empty attribute, null nothing. */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Returns an HTML element; children are nodes or text. */
function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Returns an SVG element; children are nodes or text. */
function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG_NAMES, name), attributes, children);
}

/** Returns a number with about four digits; a dash for none. */
function shown(value) {
  if (value === null || value === undefined) return "–";
  const digits = value === 0 ? 2 : 3 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(Math.max(digits, 0), 4));
}

/** Returns milliseconds with three digits at most; a dash for none. */
function shownTime(milliseconds) {
  return milliseconds === null ? "–" : String(Number(milliseconds.toPrecision(3)));
}

/** Returns a skill or probability with fixed digits, so that a column of them lines up; a dash for none. */
function fixed(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return (Number(value.toFixed(digits)) + 0).toFixed(digits); // adding 0 turns -0 around
}

/** Returns a label with its unit. */
function withUnit(head) {
  return head.unit ? `${head.label} [${head.unit}]` : head.label;
}

/** Returns a number of things in words, such as "1 case" or "3 cases". */
function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** Returns the ends of an interval in small print; null for a single run, which has no interval. */
function smallInterval([, low, high], show = shown) {
  return low === high ? null : el("small", {}, `${show(low)} to ${show(high)}`);
}

/** Returns a metric with its interval beneath; a dash where there is none. */
function metricCell(interval) {
  if (!interval) return "–";
  return el("span", { class: "estimate" }, shown(interval[0]), smallInterval(interval));
}

/** Returns a small label. */
function chip(text, kind = "", title = null) {
  return el("span", { class: `chip ${kind}`, title }, text);
}

/** Returns a label that says whether a queue grows. */
function queueChip(growing) {
  return growing
    ? chip("growing", "bad", "The queue still grows at the end of an episode")
    : chip("stable", "good", "The queue does not grow");
}

/** Returns a select with its label in front. */
function labelledSelect(label, options, change) {
  const select = el("select", { change: () => change(select.value) });
  select.append(...options.map(([value, text]) => el("option", { value }, text)));
  return { select, label: el("label", {}, el("span", {}, label), select) };
}

/** Returns a paragraph for a part without content. */
function emptyNote(text) {
  return el("p", { class: "empty" }, text);
}

/** Returns the least and the greatest skill that a column of bars shows: 0 to 1, and a little of what is outside. */
function skillDomain(intervals) {
  const ends = intervals.filter(Boolean).flat();
  return [Math.max(Math.min(0, ...ends), -0.5), Math.min(Math.max(1, ...ends), 1.25)];
}

/** Returns a skill as a bar from 0 with its interval as a whisker; hairlines stand at 0 and 1. */
function skillBar(interval, [least, greatest]) {
  const [width, height] = [132, 20];
  const at = (skill) => 3 + ((Math.min(Math.max(skill, least), greatest) - least) / (greatest - least)) * (width - 6);
  const [value, low, high] = interval.map(at);
  const hairline = (x) => svg("line", { class: "hair", x1: x, x2: x, y1: 1, y2: height - 1 });
  return svg(
    "svg",
    { class: "bar", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("rect", { x: Math.min(at(0), value), y: 6, width: Math.abs(value - at(0)), height: 8, rx: 1.5 }),
    hairline(at(0)),
    hairline(at(1)),
    svg("line", { class: "whisker", x1: low, x2: high, y1: 10, y2: 10 }),
    ...[low, high].map((x) => svg("line", { class: "whisker", x1: x, x2: x, y1: 7, y2: 13 })),
    svg("circle", { class: "value", cx: value, cy: 10, r: 3 }),
  );
}

/** Returns a skill as a number and as a bar; a dash where there is none. */
function skillCell(interval, domain) {
  if (!interval) return "–";
  const estimate = el("span", { class: "estimate" }, fixed(interval[0]), smallInterval(interval, fixed));
  return el("span", { class: "skill" }, estimate, skillBar(interval, domain));
}
