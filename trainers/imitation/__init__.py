"""Pre-training of QMIX's agents on the decisions of an expert."""
