// A track: its ranking, its cases and its plots.

const CURVES_NOTE =
  "The metric in each policy's own training episodes, with exploration. The axis has the range of the last third, so " +
  "that policies can be compared; a button shows the whole training.";
const PLOT_GROUPS = [
  ["profiles", "Performance profiles", "The share of runs with a skill above x: higher is better."],
  ["curves", "Learning curves", CURVES_NOTE],
  ["queues", "Queues", "The length of queues, slot by slot. Policies whose queue grows are left out."],
  ["sweeps", "Trade-offs", "Metrics against an option of the environment."],
];

const RANKING_NOTE =
  "Skill 0 is the best blind policy, skill 1 the seer. In between, skill is linear in the logarithm of the metric; below " +
  "0 is worse than seeing nothing. It is the mean over the ranked cases. Small print: 95% confidence interval over " +
  "training runs. × seer is the metric divided by the seer's. Decision: the median time for a decision of all agents.";
const NO_RANKED_CASE_NOTE =
  "No case of this environment is ranked: in each, the seer is less than 10% below the best blind policy.";
const NO_REFERENCES_NOTE =
  "The blind policies and the seer of these cases are not known, so there is no skill. Policies are ranked by the mean " +
  "of the metric over the cases; less is better. Small print: 95% confidence interval over training runs and episodes. " +
  "Decision: the median time for a decision of all agents.";
const CASES_NOTE =
  "Regret is the first metric minus that of the best exact optimum of a decision epoch. A policy that plans further can " +
  "have a negative regret. Small print: 95% confidence interval over training runs and episodes.";
const NO_REFERENCES_CASES_NOTE = "Small print: 95% confidence interval over training runs and episodes.";

const caseChoosers = new Map(); // by track: a function that selects the case of a name, and returns the part

/** Returns the address of an entry's view. */
function entryAddress(track, name) {
  return `#entry/${encodeURIComponent(track.env_id)}/${encodeURIComponent(name)}`;
}

/** Returns a policy's name, with a link to its view where it is an entry. */
function policyLink(track, name) {
  const known = track.entries.some((entry) => entry.name === name);
  return known ? el("a", { href: entryAddress(track, name) }, name) : name;
}

/** Returns a part of a view with its heading and an explanation in small print. */
function part(title, note, ...children) {
  return el("section", {}, el("h3", {}, title), note ? el("p", { class: "muted" }, note) : null, ...children);
}

/** Returns the view of a track. */
function trackView(track, charts) {
  const names = `${count(track.entries.length, "policy", "policies")}, ${count(track.cases.length, "case")}`;
  return el(
    "article",
    { class: "view" },
    el("h2", { tabindex: "-1" }, track.title),
    el("p", { class: "muted" }, el("code", {}, track.env_id), ` · ${names}`),
    rankingPart(track),
    casesPart(track),
    ...plotParts(track, charts),
    improvementPart(track),
  );
}

/** Returns the address of a track's view, with a case where one is given. */
function trackAddress(track, caseName = null) {
  return ["#track", track.env_id, ...(caseName === null ? [] : [caseName])].map(encodedAfterFirst).join("/");
}

/** Returns a word of an address with its special characters encoded; the first word stays. */
function encodedAfterFirst(word, index) {
  return index === 0 ? word : encodeURIComponent(word);
}

/** Returns the column of the metric that ranks a track without references. */
function metricColumn({ metric }) {
  return {
    label: withUnit(metric),
    numeric: true,
    value: (entry) => entry.metric?.[0] ?? null,
    cell: (entry) => metricCell(entry.metric),
  };
}

/** Returns the explanation of a ranking. */
function rankingNote(track) {
  if (track.metric) return NO_REFERENCES_NOTE;
  const isKnown = track.cases.length > 0 && track.cases_left_out === 0;
  return isKnown && track.cases.every((board) => !board.ranked) ? NO_RANKED_CASE_NOTE : RANKING_NOTE;
}

/** Returns the columns of skill in a ranking. */
function skillColumns(track) {
  const domain = skillDomain(track.entries.map((entry) => entry.skill.mean));
  const skill = (name) => (entry) => entry.skill[name]?.[0] ?? null;
  const number = { numeric: true };
  return [
    {
      label: "Skill",
      ...number,
      best: "high",
      value: skill("mean"),
      cell: (entry) => skillCell(entry.skill.mean, domain),
    },
    { label: "IQM", ...number, best: "high", value: skill("iqm"), cell: (entry) => fixed(skill("iqm")(entry)) },
    {
      label: "Optimality gap",
      ...number,
      value: skill("optimality_gap"),
      cell: (entry) => fixed(skill("optimality_gap")(entry)),
    },
    { label: "× seer", ...number, value: (entry) => entry.times_seer, cell: (entry) => fixed(entry.times_seer) },
  ];
}

/** Returns the columns of the ranking. */
function rankingColumns(track) {
  const number = { numeric: true };
  return [
    { label: "Rank", ...number, value: (entry) => entry.rank, cell: (entry) => rankMark(entry.rank) },
    { label: "Policy", rowHead: true, value: (entry) => entry.name, cell: (entry) => policyLink(track, entry.name) },
    ...(track.metric ? [metricColumn(track)] : skillColumns(track)),
    { label: "Runs", ...number, value: (entry) => entry.seeds, cell: (entry) => String(entry.seeds) },
    {
      label: "Decision [ms]",
      ...number,
      value: (entry) => entry.decision_ms,
      cell: (entry) => shownTime(entry.decision_ms),
    },
    { label: "Kind", value: (entry) => entry.kind, cell: (entry) => chip(entry.kind, entry.kind) },
    {
      label: "Queue",
      value: (entry) => (entry.stable ? "stable" : "growing"),
      cell: (entry) => queueChip(!entry.stable),
    },
    { label: "Note", wide: true, value: (entry) => entry.note || null, cell: (entry) => entry.note },
  ];
}

/** Returns a rank, or a dash for a policy that is not ranked. */
function rankMark(rank) {
  return rank === null
    ? el("span", { class: "muted", title: "Not ranked" }, "–")
    : el("b", { class: "rank" }, String(rank));
}

/** Returns the ranking with its filters. */
function rankingPart(track) {
  if (track.entries.length === 0) return part("Ranking", "", emptyNote("No policy has been measured yet."));
  const { box, show } = sortableTable("Ranking", rankingColumns(track), track.entries);
  const shownCount = el("span", { class: "muted", role: "status" });
  const text = el("input", { type: "search", placeholder: "Name or note", input: () => filter() });
  const kinds = [...new Set(track.entries.map((entry) => entry.kind))].map((kind) => [kind, kind]);
  const { select, label } = labelledSelect("Kind", [["", "all"], ...kinds], () => filter());
  const filter = () => {
    const word = text.value.trim().toLowerCase();
    const fits = (entry) => `${entry.name} ${entry.note}`.toLowerCase().includes(word);
    const kept = show((entry) => fits(entry) && (!select.value || entry.kind === select.value));
    shownCount.textContent =
      kept === track.entries.length ? "" : `${kept} of ${count(track.entries.length, "policy", "policies")}`;
  };
  const tools = el("div", { class: "tools" }, el("label", {}, el("span", {}, "Find"), text), label, shownCount);
  return part("Ranking", rankingNote(track), tools, box);
}

/** Returns the cases, one at a time. */
function casesPart(track) {
  if (track.cases.length === 0) return part("Cases", "", emptyNote("This track has no cases."));
  const place = el("div", { class: "case" });
  const choices = track.cases.map((board, index) => [index, board.unseen ? `${board.title} (unseen)` : board.title]);
  const choose = (index) => place.replaceChildren(...caseParts(track, track.cases[index]));
  const { select, label } = labelledSelect("Case", choices, (index) => {
    choose(index);
    history.replaceState(null, "", trackAddress(track, track.cases[index].name));
  });
  const note = track.metric ? NO_REFERENCES_CASES_NOTE : CASES_NOTE;
  const section = part("Cases", note, el("div", { class: "tools" }, label), place);
  caseChoosers.set(track, (name) => {
    const index = track.cases.findIndex((board) => board.name === name);
    if (index >= 0 && select.value !== String(index)) choose((select.value = index));
    return section;
  });
  choose(0);
  return section;
}

/** Shows the case that an address names. Returns the part of the cases, or null where there is none. */
function chooseCase(track, name) {
  return caseChoosers.get(track)?.(name) ?? null;
}

/** Returns the facts of a case, and its table. */
function caseParts(track, board) {
  const facts = [
    board.unseen ? chip(`unseen: ${board.unseen}`, "warn", "No policy was trained on this") : null,
    el("span", {}, `${count(board.episodes, "episode")} from seed ${board.seed}`),
    track.metric ? null : board.ranked ? chip("ranked", "good") : chip("not ranked", "", "Seeing pays too little on this case"),
  ];
  const episodes = episodeLinks(
    (recording) => recording.case === board.name,
    (recording) => recording.policy,
  );
  return [
    el("p", { class: "facts" }, ...facts, episodes),
    board.room ? roomLine(track, board) : null,
    optionsList(board.options, "the environment's defaults"),
    board.rows.length
      ? sortableTable(board.title, caseColumns(track, board), board.rows).box
      : emptyNote("No policy has played this case yet."),
    ...(board.anatomy ? anatomyParts(track, board) : []),
  ];
}

/** Returns a table of what is hard about a case, with a sentence on how it was measured. */
function anatomyParts(track, { title, anatomy }) {
  const percent = (number) => `${number > 0 ? "+" : ""}${number.toFixed(Math.abs(number) < 10 ? 1 : 0)}%`;
  const grows = (row) => (row.grows ? chip("a queue grows", "bad", "Longer episodes would give another value") : null);
  const change = (row) =>
    el("span", { class: "estimate" }, percent(row.percent[0]), smallInterval(row.percent, percent), grows(row));
  const columns = [
    { label: "Changed", rowHead: true, value: (row) => row.name, cell: (row) => row.name },
    { label: "What it is", value: (row) => row.kind, cell: (row) => chip(row.kind) },
    { label: "Metric", numeric: true, value: (row) => row.percent[0], cell: change },
  ];
  const name = policyLink(track, anatomy.policy);
  const note = ` with one thing changed, on ${count(anatomy.episodes, "episode")}: what it sees, the world, or the policy.`;
  return [
    el("h4", {}, "What is hard about it"),
    el("p", { class: "muted" }, "The metric of ", name, note),
    sortableTable(`What is hard about ${title}`, columns, anatomy.changes).box,
  ];
}

/** Returns a sentence on what seeing and foresight are worth on a case. */
function roomLine(track, { room, heads: [head] }) {
  const value = (number) => `${shown(number)}${head.unit ? ` ${head.unit}` : ""}`;
  const less = (from, to) => `${(100 * (1 - to / from)).toFixed(1)}%`;
  const blind = [policyLink(track, room.blind), ` takes ${value(room.blind_value)}${room.blind_grows ? ", growing" : ""}`];
  const present = room.present
    ? [policyLink(track, room.present), ` ${value(room.present_value)}: seeing saves ${less(room.blind_value, room.present_value)}`]
    : [];
  const before = room.present_value ?? room.blind_value;
  const seer = [`the seer ${value(room.seer_value)}: foresight saves ${less(before, room.seer_value)} more`];
  const parts = [blind, present, seer].filter((words) => words.length > 0);
  const words = parts.flatMap((of, index) => (index ? ["; ", ...of] : of));
  return el("p", { class: "muted" }, "Blind, ", ...words, `. On the first ${count(room.episodes, "episode")}.`);
}

/** Returns links to recordings, or null where there are none. */
function episodeLinks(isShown, text) {
  const found = BOARD.recordings
    .map((recording, index) => [recording, index])
    .filter(([recording]) => isShown(recording));
  if (found.length === 0) return null;
  const links = found.map(([recording, index]) => el("a", { href: `#episodes/${index}` }, text(recording)));
  return el("span", {}, "watch ", ...links.flatMap((link, index) => (index ? [", ", link] : [link])));
}

/** Returns options as names and values, or a phrase where there are none. */
function optionsList(options, none) {
  const pairs = Object.entries(options);
  if (pairs.length === 0) return el("p", { class: "muted" }, `Options: ${none}.`);
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const items = pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, text(value))));
  return el("dl", { class: "options" }, ...items);
}

/** Returns the columns of a case's table. */
function caseColumns(track, board) {
  const domain = skillDomain(board.rows.map((row) => row.skill));
  const first = {
    label: "Policy",
    rowHead: true,
    value: (row) => row.policy,
    cell: (row) => policyLink(track, row.policy),
  };
  return [first, ...rowColumns(track, domain, board.heads)];
}

/** Returns the columns of a policy's results on a case; a track whose references are not known has no skill. */
function rowColumns(track, domain, heads) {
  const skills = [
    {
      label: "Skill",
      numeric: true,
      best: "high",
      value: (row) => row.skill?.[0] ?? null,
      cell: (row) => skillCell(row.skill, domain),
    },
    {
      label: "Regret",
      numeric: true,
      value: (row) => row.regret?.[0] ?? null,
      cell: (row) => metricCell(row.regret),
    },
  ];
  return [
    ...(track.metric ? [] : skills),
    ...heads.map((head) => ({
      label: withUnit(head),
      numeric: true,
      value: (row) => row.metrics[head.name]?.[0] ?? null,
      cell: (row) => metricCell(row.metrics[head.name]),
    })),
    { label: "Decision [ms]", numeric: true, value: (row) => row.decision_ms, cell: (row) => shownTime(row.decision_ms) },
    { label: "Runs", numeric: true, value: (row) => row.seeds, cell: (row) => seedsCell(row) },
    { label: "Queue", value: (row) => (row.growing ? "growing" : "stable"), cell: (row) => queueChip(row.growing) },
  ];
}

/** Returns the number of a row's seeds, with a label where some are missing. */
function seedsCell(row) {
  return row.complete ? String(row.seeds) : chip(`${row.seeds}, incomplete`, "warn", "Seeds are missing");
}

/** Returns the parts with plots. */
function plotParts(track, charts) {
  const groups = PLOT_GROUPS.filter(([group]) => charts[group].length > 0);
  if (groups.length === 0) return [part("Plots", "", emptyNote("There are no plots yet."))];
  const legend = chartLegends(charts);
  const parts = groups.map(([group, title, note]) => {
    const plots = (group === "profiles" ? [track.profiles] : track[group]).filter((plot) => plot.lines.length > 0);
    const whole = group === "curves" ? charts.whole : [];
    const figures = plots.map((plot, index) =>
      chartFigure({ plot, legend, specification: charts[group][index], whole: whole[index] ?? null }),
    );
    return part(title, note, el("div", { class: "plots" }, ...figures));
  });
  return [el("div", { class: "plot-parts" }, ...parts)];
}
