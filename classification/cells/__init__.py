"""The cell space of DARTS and what is built of it, for every system whose networks are stacks of such cells."""
