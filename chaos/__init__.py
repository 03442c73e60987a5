"""The campaign: faults that a cluster knows, caused many times, and what became of the rows."""
