"""The faces: each repacks the core for one API, and decides nothing."""
