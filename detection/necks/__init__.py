"""Necks that any system of the task can use: they turn the maps of a backbone into a pyramid of one width (`modules`)."""
