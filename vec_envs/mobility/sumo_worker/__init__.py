"""The process that runs SUMO: reads requests for windows on its standard input, answers on its standard output.

Started by file name, so that it imports SUMO and the standard library only. A request is one line of JSON and holds all
that defines its answer (the seed of a simulation, which window of it, the shape); a simulation left over from the last
request is used only where going on with it gives the same. An answer is one line of JSON, followed by the window's
numbers. Speeds follow from the places, but for those of the first slot: asking SUMO for them is a tenth of the cost of
a slot.
"""
