// The names of lines at their ends in a plot.

const LABELS_PART = 0.3; // the greatest part of a plot's width that labels may take; the legend names all lines

/** Returns the lines that get a label in a plot of some width: all of them, or none where labels would be too wide. */
function labelled({ lines }, width) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${LABEL_SIZE}px ${getComputedStyle(document.body).fontFamily}`;
  const widest = Math.max(...lines.map(({ name }) => pen.measureText(name).width));
  return Math.min(widest, LABEL_WIDTH) <= LABELS_PART * width ? lines : [];
}

/** Moves the names of a drawn plot's lines beside their ends. */
function placeLabels(view, lines) {
  if (lines.length === 0) return;
  const [scale, height] = [view.scale("y"), view.height()];
  const inside = (pixel) => Math.min(Math.max(pixel, 0), height);
  const ends = lines.map(({ name, value }) => ({ name, end: inside(scale(value.at(-1))), whole: total(value) }));
  ends.sort((a, b) => a.end - b.end || b.whole - a.whole);
  const gap = Math.min(LABEL_SIZE + 1, height / ends.length);
  const places = apart(ends.map(({ end }) => end), gap, height);
  view.data("labels", ends.map(({ name }, index) => ({ name, at: places[index] })));
}

/** Returns the sum of numbers. */
function total(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Returns ascending places that are `gap` apart and near the wanted ones, within 0 and `greatest`. */
function apart(wanted, gap, greatest) {
  const groups = []; // of labels that touch: the sum of their wanted beginnings, and their number
  for (const [index, place] of wanted.entries()) {
    groups.push({ sum: place - index * gap, number: 1 });
    while (groups.length > 1 && mean(groups.at(-2)) > mean(groups.at(-1))) {
      const last = groups.pop();
      groups.at(-1).sum += last.sum;
      groups.at(-1).number += last.number;
    }
  }
  const most = greatest - (wanted.length - 1) * gap;
  const starts = groups.flatMap((group) => Array(group.number).fill(Math.min(Math.max(mean(group), 0), most)));
  return starts.map((start, index) => start + index * gap);
}

/** Returns the mean of a group. */
function mean({ sum, number }) {
  return sum / number;
}
