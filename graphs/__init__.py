"""Node classification: graph data, metrics, and the systems that search graph neural networks."""

import tasknas  # noqa: F401 (refuses a file of the user's that hides the core)
