// A policy: its options of training, the command that reproduces its results, and its results on every case.

/** Returns the view of an entry. */
function entryView(track, entry, charts) {
  const back = el("a", { href: `#track/${encodeURIComponent(track.env_id)}` }, `← ${track.title}`);
  const rank = entry.rank === null ? chip("not ranked", "warn") : chip(`rank ${entry.rank}`, "good");
  const chips = [rank, chip(entry.kind, entry.kind), queueChip(!entry.stable)];
  const episodes = episodeLinks(
    (recording) => recording.policy === entry.name && track.cases.some((board) => board.name === recording.case),
    (recording) => caseTitle(recording.case),
  );
  return el(
    "article",
    { class: "view" },
    el("p", {}, back),
    el("h2", { tabindex: "-1" }, entry.name),
    el("p", { class: "facts" }, ...chips, episodes),
    entry.about ? el("p", { class: "about" }, entry.about) : null,
    entry.note ? el("p", { class: "note" }, entry.note) : null,
    tiles(track, entry),
    curvesPart(track, entry, charts),
    part("Reproduce", "", commandBox(entry.command), codeLine(entry), downloadButton(track, entry)),
    part("Options", "", optionsList(entry.options, entry.kind === "learned" ? "defaults" : "none, the policy does not train")),
    entryCases(track, entry),
  );
}

/** Returns an entry's skill, or its metric where references are not known, and its decision time in large print. */
function tiles(track, entry) {
  const skills = [
    ["mean", "Skill"],
    ["iqm", "IQM of the skill"],
    ["optimality_gap", "Optimality gap"],
  ];
  const tile = (label, interval, show) => [
    label,
    show(interval?.[0]),
    interval ? `${show(interval[1])} to ${show(interval[2])}` : "",
  ];
  const values = track.metric
    ? [tile(withUnit(track.metric), entry.metric, shown)]
    : skills.map(([name, label]) => tile(label, entry.skill[name], fixed));
  const time = [
    "Decision",
    entry.decision_ms === null ? "–" : `${shownTime(entry.decision_ms)} ms`,
    "CPU time, all agents",
  ];
  const seeds = ["Runs", String(entry.seeds), entry.kind === "learned" ? "trainings" : entry.seeds > 1 ? "draws" : ""];
  const items = [...values, time, seeds].map(([label, value, small]) =>
    el("div", {}, el("dt", {}, label), el("dd", {}, value, el("small", {}, small))),
  );
  return el("dl", { class: "tiles" }, ...items);
}

/** Returns the learning curves of an entry; null for a policy without any. */
function curvesPart(track, entry, charts) {
  const legend = chartLegends(charts);
  const figures = track.curves.flatMap((plot, index) => {
    const lines = plot.lines.filter((line) => line.name === entry.name);
    const [specification, whole] = [charts.curves[index], charts.whole[index]];
    return lines.length ? [chartFigure({ plot: { ...plot, lines }, legend, specification, whole })] : [];
  });
  if (figures.length === 0) return null;
  return part("Learning curves", CURVES_NOTE, el("div", { class: "plots" }, ...figures));
}

/** Returns the versions and commits of the code that made an entry's results; null where they are unknown. */
function codeLine(entry) {
  return entry.code ? el("p", { class: "code" }, "Results by ", el("code", {}, entry.code)) : null;
}

/** Returns a button that saves an entry with its results and learning curves as a JSON file. */
function downloadButton(track, entry) {
  const ofEntry = ({ rows, ...board }) => ({ ...board, rows: rows.filter((row) => row.policy === entry.name) });
  const own = (plot) => ({ ...plot, lines: plot.lines.filter((line) => line.name === entry.name) });
  const click = () => {
    const { suite, version } = BOARD;
    const results = { suite, version, environment: track.env_id, entry };
    const content = { ...results, cases: track.cases.map(ofEntry), curves: track.curves.map(own) };
    saveFile(`${entry.name.replace(/[^\w.-]+/g, "_")}.json`, JSON.stringify(content, null, 1));
  };
  return el("button", { type: "button", class: "save", click }, "Download the results (JSON)");
}

/** Lets the browser save a text as a file. */
function saveFile(name, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** Returns a command with a button that copies it. */
function commandBox(command) {
  if (!command) return emptyNote("No command is known.");
  const code = el("code", {}, command);
  const button = el("button", { type: "button", click: () => copy(command, code, button) }, "Copy");
  return el("div", { class: "command" }, el("pre", { tabindex: "0" }, code), button);
}

/** Copies text; where the browser does not let a page, selects it for the reader to copy. */
async function copy(text, element, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(element);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

/** Returns a table of an entry's results, a row for each case. */
function entryCases(track, entry) {
  const played = track.cases.flatMap((board) =>
    board.rows.filter((row) => row.policy === entry.name).map((row) => ({ board, ...row })),
  );
  if (played.length === 0) return part("Every case", "", emptyNote("This policy has played no case yet."));
  const heads = [...new Map(track.cases.flatMap((board) => board.heads).map((head) => [head.name, head])).values()];
  const first = { label: "Case", rowHead: true, value: (row) => row.board.title, cell: (row) => caseCell(row.board) };
  const columns = [first, ...rowColumns(track, skillDomain(played.map((row) => row.skill)), heads)];
  return part("Every case", "", sortableTable(`${entry.name} in every case`, columns, played).box);
}

/** Returns a case's title, with a label where the case is unseen. */
function caseCell(board) {
  return el("span", { class: "case-name" }, board.title, board.unseen ? chip(`unseen: ${board.unseen}`, "warn") : null);
}

/** Returns a case's title by its name, or the name where no track has the case. */
function caseTitle(name) {
  return BOARD.tracks.flatMap((track) => track.cases).find((board) => board.name === name)?.title ?? name;
}
