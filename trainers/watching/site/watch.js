// The page of `trainers.watch`: shows its recordings side by side.

const BOARD = JSON.parse(document.getElementById("data").textContent);

document.getElementById("episodes").replaceChildren(player(BOARD.recordings));
