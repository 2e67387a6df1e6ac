// The player of recorded episodes: controls, the road from above, and the queues.

const SPEEDS = [
  [1, "1 slot/s"],
  [2, "2 slots/s"],
  [5, "5 slots/s"],
  [15, "15 slots/s"],
];

/** Returns the view of the recordings, with those of one or two indices selected. */
function episodesView(first = "0", second = "") {
  const heading = el("h2", { tabindex: "-1" }, "Episodes");
  if (BOARD.recordings.length === 0) {
    return el("article", { class: "view" }, heading, emptyNote("No episode has been recorded."));
  }
  const place = el("div");
  const chosen = [recordingIndex(first) ?? 0, recordingIndex(second)];
  const choices = BOARD.recordings.map(({ case: name, policy }, index) => [index, `${caseTitle(name)}: ${policy}`]);
  const one = labelledSelect("Episode", choices, (index) => choose(Number(index), chosen[1]));
  const other = labelledSelect("Beside", [], (index) => choose(chosen[0], recordingIndex(index)));
  const choose = (index, beside) => {
    const others = comparable(index);
    chosen.splice(0, 2, index, others.includes(beside) ? beside : null);
    one.select.value = index;
    const policies = others.map((k) => el("option", { value: k }, BOARD.recordings[k].policy));
    other.select.replaceChildren(el("option", { value: "" }, "no other policy"), ...policies);
    other.select.value = chosen[1] ?? "";
    other.label.hidden = others.length === 0;
    const indices = chosen.filter((k) => k !== null);
    place.replaceChildren(player(indices.map((k) => BOARD.recordings[k])));
    if (location.hash.startsWith("#episodes")) history.replaceState(null, "", ["#episodes", ...indices].join("/"));
  };
  choose(...chosen);
  return el("article", { class: "view" }, heading, el("div", { class: "tools" }, one.label, other.label), place);
}

/** Returns the index of a recording that a part of an address gives; null where there is no such recording. */
function recordingIndex(text) {
  const index = Math.trunc(Number(text));
  return text !== "" && index >= 0 && index < BOARD.recordings.length ? index : null;
}

/** Returns the indices of the other recordings of a recording's case. */
function comparable(index) {
  const fits = (other) => other !== index && BOARD.recordings[other].case === BOARD.recordings[index].case;
  return [...BOARD.recordings.keys()].filter(fits);
}

/** Returns `{element, show}`: a table of each node's queues and of what it sends, and a function that shows a slot. */
function queueBars({ nodes, queues, frames }) {
  const waitsOf = (frame, kind) => frame.waits.slice(kind * nodes.length, (kind + 1) * nodes.length);
  const most = queues.map((_, kind) => Math.max(...frames.flatMap((frame) => waitsOf(frame, kind)), 1e-12));
  const rows = nodes.map((node, index) => queueRow(node, index, queues, frames));
  const show = (slot) => {
    const { waits, links } = frames[slot];
    rows.forEach(({ levels, sends }, index) => {
      levels.forEach(([fill, value], kind) => {
        const wait = waits[kind * nodes.length + index];
        fill.style.width = `${(100 * Math.max(wait ?? 0, 0)) / most[kind]}%`;
        value.textContent = shown(wait);
      });
      sends.textContent = links
        .filter(([from]) => from === index)
        .map((link) => sentText(nodes, link))
        .join("; ");
      sends.title = sends.textContent;
    });
  };
  const caption = el("caption", { class: "hidden-text" }, "Queues in this slot");
  const body = el("tbody", {}, ...rows.map((row) => row.element).filter(Boolean));
  return { element: el("table", { class: "queues" }, caption, ...queueHeads(queues), body), show };
}

/** Returns the columns and the head of the table of queues: a bar and a number for each kind of queue. */
function queueHeads(queues) {
  const columns = ["who", ...queues.flatMap(() => ["level", "number"]), "sends"];
  const title = ({ name, unit }) => (unit ? `${name} [${unit}]` : name);
  const waits = queues.map((queue) => el("th", { scope: "col", colspan: 2, class: "of-queue" }, title(queue)));
  const head = el("tr", {}, el("th", { scope: "col" }, "Queue"), ...waits, el("th", { scope: "col" }, "Sends"));
  return [el("colgroup", {}, ...columns.map((name) => el("col", { class: `${name}-column` }))), el("thead", {}, head)];
}

/**
 * Returns `{element, levels, sends}`: a node's row, the bar and the number of each of its queues, and what it sends. The
 * element is null for a node without a queue that never sends.
 */
function queueRow(node, index, queues, frames) {
  const icon = svg("svg", { width: 22, height: 22, viewBox: "-13 -13 26 26", "aria-hidden": "true" }, nodeMark(node));
  const name = el("th", { scope: "row" }, el("span", { class: "who", title: node.name }, icon, node.name));
  const [levels, sends] = [queues.map(() => [el("i"), el("td", { class: "number" })]), el("td", { class: "sends" })];
  const cells = levels.flatMap(([fill, value]) => [el("td", { class: "level" }, fill), value]);
  const never = frames.every((frame) => frame.links.every(([from]) => from !== index));
  const isOf = (place) => place % frames[0].x_m.length === index;
  const none = frames.every((frame) => frame.waits.every((wait, place) => wait === null || !isOf(place)));
  const kinds = `${node.kind} ${never ? "never" : ""}`;
  const element = none && never ? null : el("tr", { class: kinds }, name, ...cells, sends);
  return { element, levels, sends };
}

/** Returns a description of a link. */
function sentText(nodes, [from, to, what]) {
  return from === to ? `keeps ${what}` : `→ ${nodes[to].name}: ${what}`;
}

/** Returns the player of recordings, which are shown side by side at the same slot. */
function player(recordings) {
  const state = { time: 0, playing: false, last: 0, slotsPerSecond: 5 };
  const longest = recordings.reduce((one, other) => (other.frames.length > one.frames.length ? other : one));
  if (longest.frames.length === 0) return emptyNote("This recording has no frames.");
  const controls = playerControls(longest, state);
  const panes = recordings
    .filter(({ frames }) => frames.length > 0)
    .map((recording) => playerPane(recording, state, recordings.length > 1));
  controls.show = () => {
    controls.place(Math.floor(state.time));
    panes.forEach((pane) => pane.show());
  };
  controls.show();
  return el("div", { class: "player" }, controls.element, el("div", { class: "panes" }, ...panes.map((p) => p.element)));
}

/** Returns `{element, show}`: a recording's road and queues, and a function that shows the time of the state. */
function playerPane(recording, state, named) {
  const place = el("div", { class: "map-box" });
  const queues = queueBars(recording);
  const caption = el("p", { class: "caption" });
  const note = el("p", { class: "muted small" });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const last = recording.frames.length - 1;
  let picture = null;
  let slot = -1;
  const show = () => {
    const time = Math.min(state.time, last);
    picture?.show(calm.matches ? Math.floor(time) : time);
    if (slot === (slot = Math.floor(time))) return;
    queues.show(slot);
    caption.textContent = recording.frames[slot].caption;
  };
  new ResizeObserver(() => {
    if (place.clientWidth === 0 || picture?.element.getAttribute("width") === String(place.clientWidth)) return;
    picture = roadPicture(recording, place.clientWidth);
    place.replaceChildren(picture.element);
    note.textContent =
      picture.stretch > 1.05
        ? `The road is drawn ${Number(picture.stretch.toPrecision(2))} times wider than to scale, so that vehicles stay apart.`
        : "";
    show();
  }).observe(place);
  const title = named ? el("h3", {}, recording.policy) : null;
  const children = [title, caption, place, markLegend(recording), note, queues.element];
  return { element: el("section", { class: "pane" }, ...children.filter(Boolean)), show };
}

/** Returns a legend of the kinds of nodes in a recording. */
function markLegend(recording) {
  const kinds = Object.keys(KINDS).filter((kind) => recording.nodes.some((node) => node.kind === kind));
  const items = kinds.map((kind) => {
    const mark = nodeMark({ name: KINDS[kind].word, kind });
    mark.querySelector("text").remove();
    return el(
      "span",
      {},
      svg("svg", { width: 18, height: 18, viewBox: "-13 -13 26 26", "aria-hidden": "true" }, mark),
      KINDS[kind].word,
    );
  });
  return el(
    "p",
    { class: "marks muted small" },
    ...items,
    el("span", {}, "an arrow has the colour of its target"),
  );
}

/** Returns controls for play, slot and speed. They change `state` and call `controls.show`, which the caller sets. */
function playerControls(recording, state) {
  const last = recording.frames.length - 1;
  const controls = { show: () => undefined };
  const button = el("button", { type: "button", class: "play", click: () => setPlaying(!state.playing) }, "▶ Play");
  const slider = el("input", {
    type: "range",
    min: 0,
    max: last,
    step: 1,
    value: 0,
    "aria-label": "Slot",
    input: () => seek(),
  });
  const clock = el("output", {});
  const setPlaying = (playing) => {
    if (playing && state.time >= last) state.time = 0;
    Object.assign(state, { playing, last: performance.now() });
    button.textContent = playing ? "❚❚ Pause" : "▶ Play";
    if (playing) requestAnimationFrame(tick);
  };
  const seek = () => {
    state.time = Number(slider.value);
    controls.show();
  };
  const tick = (now) => {
    if (!state.playing || !button.isConnected) return setPlaying(false);
    state.time = Math.min(state.time + (Math.max(now - state.last, 0) / 1000) * state.slotsPerSecond, last);
    state.last = now;
    controls.show();
    return state.time < last ? requestAnimationFrame(tick) : setPlaying(false);
  };
  controls.place = (slot) => {
    slider.value = slot;
    clock.textContent = `slot ${slot + 1} of ${last + 1}, ${shown(slot * recording.slot_s)} s`;
  };
  const speed = labelledSelect("Speed", SPEEDS, (chosen) => (state.slotsPerSecond = Number(chosen)));
  speed.select.value = state.slotsPerSecond;
  controls.element = el("div", { class: "tools controls" }, button, slider, clock, speed.label);
  return controls;
}
