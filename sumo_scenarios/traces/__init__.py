"""Traces of vehicles that somebody measured or simulated: readers, resampling, and the road they are on."""
