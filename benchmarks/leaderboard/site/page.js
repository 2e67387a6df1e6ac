// The page: shows the view of the address, and keeps the theme.

const { board: BOARD, charts: CHARTS } = JSON.parse(document.getElementById("data").textContent);
const keptViews = new Map(); // by key, so that a track keeps its filters while another view is shown

/**
 * Returns `{tab, build, key, target}` of an address: its tab, and a function that builds its view. A view with a key is
 * kept. `target` shows what else the address names, and returns the part to scroll to.
 */
function destination(address) {
  const [kind, ...words] = address.slice(1).split("/").map(decoded);
  const index = words.length ? BOARD.tracks.findIndex((track) => track.env_id === words[0]) : 0;
  const track = BOARD.tracks[index];
  const entry = track?.entries.find(({ name }) => name === words[1]);
  if (kind === "episodes") return { tab: "episodes", build: () => episodesView(...words) };
  const tab = `track ${index}`;
  if (kind === "entry" && entry)
    return { tab, key: `entry ${index} ${entry.name}`, build: () => entryView(track, entry, CHARTS[index]) };
  if (kind === "track" && track) {
    const target = words.length > 1 ? () => chooseCase(track, words[1]) : null;
    return { tab, key: tab, target, build: () => trackView(track, CHARTS[index]) };
  }
  return null;
}

/** Returns a part of an address as text; the part itself where it cannot be decoded. */
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** Returns the view of an address that names none. */
function firstDestination() {
  return destination("#track") ?? { tab: "", build: () => emptyNote("This leaderboard has no tracks yet.") };
}

/** Returns a destination's view. */
function viewOf({ key, build }) {
  if (!key) return build();
  if (!keptViews.has(key)) keptViews.set(key, build());
  return keptViews.get(key);
}

/** Shows the view of the address. */
function showView(event) {
  const named = destination(location.hash);
  if (!named && event && location.hash) return; // an anchor in the page, such as that of the skip link
  const shownNow = named ?? firstDestination();
  const view = viewOf(shownNow);
  document.getElementById("main").replaceChildren(view);
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.dataset.tab === shownNow.tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  dispatchEvent(new Event("resize")); // fits charts to a window that changed while they were hidden
  drawInIdleTime();
  const target = shownNow.target?.();
  if (event) {
    scrollTo({ top: 0 });
    view.querySelector("h2")?.focus({ preventScroll: true });
  }
  target?.scrollIntoView();
}

/** Fills the tabs. */
function showTabs() {
  const tracks = BOARD.tracks.map((track, index) => [
    `track ${index}`,
    `#track/${encodeURIComponent(track.env_id)}`,
    track.title,
  ]);
  const links = [...tracks, ["episodes", "#episodes", "Episodes"]].map(([tab, href, text]) =>
    el("a", { href, "data-tab": tab }, text),
  );
  document.getElementById("tabs").append(...links);
}

/** Fills the list of files and policies that are left out. */
function showLeftOut() {
  if (BOARD.left_out.length === 0) return;
  const rows = BOARD.left_out.map(({ what, why }) => el("li", {}, el("code", {}, what), ` ${why}`));
  const summary = el("summary", {}, `${count(BOARD.left_out.length, "file or policy", "files or policies")} left out`);
  document.getElementById("left-out").append(el("details", {}, summary, el("ul", {}, ...rows)));
}

/** Returns whether the page is dark. */
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Returns the browser's stored value of a name, or null: a page opened from a file may have no storage. */
function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Sets the theme, and stores it where the browser allows that. */
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // the next visit then starts with the browser's theme
  }
  nameTheme();
  redrawCharts();
}

/** Labels the button with the theme that a click selects. */
function nameTheme() {
  const other = isDark() ? "light" : "dark";
  const button = document.getElementById("theme");
  button.textContent = isDark() ? "☀ Light" : "☾ Dark";
  button.setAttribute("aria-label", `Use the ${other} theme`);
}

/** Starts the page. */
function start() {
  const theme = stored("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  document.getElementById("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    nameTheme();
    redrawCharts();
  });
  nameTheme();
  showTabs();
  showLeftOut();
  addEventListener("hashchange", showView);
  showView(null);
}

start();
