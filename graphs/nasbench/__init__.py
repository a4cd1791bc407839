"""The networks of NAS-Bench-Graph, built and trained: the table's entries, one at a time, from scratch."""
