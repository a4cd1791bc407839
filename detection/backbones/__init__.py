"""Backbones that any system of the task can use: descriptions without torch, and the modules built from them (`modules`)."""
