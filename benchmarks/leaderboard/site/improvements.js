// The probability that each policy of a track beats each other one, as a heat map.

/** Returns the probability that each policy beats each other one, as a heat map. */
function improvementPart(track) {
  const title = "Who beats whom";
  if (track.improvements.length === 0) return part(title, "", emptyNote("Two ranked policies are needed to compare."));
  const involved = new Set(track.improvements.flatMap(({ better, than }) => [better, than]));
  const inOrder = [...new Set([...track.entries.map((entry) => entry.name), ...involved])].filter((name) =>
    involved.has(name),
  );
  const found = new Map(track.improvements.map((item) => [JSON.stringify([item.better, item.than]), item.probability]));
  const heads = inOrder.map((name) => el("th", { scope: "col", class: "turned" }, el("span", {}, name)));
  const several = new Set(track.entries.filter((entry) => entry.seeds > 1).map((entry) => entry.name));
  const rows = inOrder.map((better) => {
    const cells = inOrder.map((than) =>
      heatCell(better, than, found.get(JSON.stringify([better, than])), several.has(better) || several.has(than)),
    );
    return el("tr", {}, el("th", { scope: "row" }, policyLink(track, better)), ...cells);
  });
  const note =
    "The probability that the policy of a row beats that of a column on a case drawn at random; " +
    "bold where one of them has several runs and the whole confidence interval is above one half.";
  const caption = el("caption", { class: "hidden-text" }, title);
  const table = el(
    "table",
    { class: "heat" },
    caption,
    el("thead", {}, el("tr", {}, el("td"), ...heads)),
    el("tbody", {}, ...rows),
  );
  return part(title, note, tableBox(title, table));
}

/** Returns a cell of the heat map; its colour is stronger the further the probability is from one half. */
function heatCell(better, than, probability, severalRuns) {
  if (!probability) return el("td", { class: "none" }, better === than ? "" : "–");
  const two = (p) => fixed(p, 2);
  const estimate = el("span", { class: "estimate" }, two(probability[0]), smallInterval(probability, two));
  const cell = el("td", { title: `${better} beats ${than}` }, estimate);
  cell.style.setProperty("--strength", `${Math.round(Math.abs(probability[0] - 0.5) * 90)}%`);
  cell.className = probability[0] >= 0.5 ? "above" : "below";
  if (severalRuns && probability[1] > 0.5) cell.classList.add("sure");
  return cell;
}
