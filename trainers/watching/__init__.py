"""Showing episodes: as a page with a player, as a video, and as a GIF."""
