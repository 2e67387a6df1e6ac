"""The process that runs SUMO: it reads requests on its standard input and writes windows to its standard output.

The process is started by file name, so that it imports only SUMO and the standard library.

A request is one line of JSON that fully defines its answer: the seed of a simulation, the index of the window, and the
shape of an episode. The simulation of the previous request is continued only if this gives an equal answer.

An answer is one line of JSON, followed by the numbers of the window.

Speeds are computed from places, except those of the first slot, because asking SUMO for speeds costs a tenth of a slot.
"""
