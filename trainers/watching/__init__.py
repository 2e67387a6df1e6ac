"""Files that show an episode: a page with a player, a video, or a GIF."""
