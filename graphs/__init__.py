"""Node classification: graph data, metrics, and the systems that search graph neural networks."""

from tasknas import hidden

hidden.refuse("common")
