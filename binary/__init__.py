"""Binary networks, one bit per weight: planned, nothing is here yet. `detection` shows the shape a task package takes."""

import tasknas  # noqa: F401 (refuses a file of the user's that hides the core)
