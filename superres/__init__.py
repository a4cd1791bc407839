"""Image super-resolution: planned, nothing is here yet. `detection` shows the shape a task package takes."""

from tasknas import hidden

hidden.refuse("common")
