"""Node classification: graph data, metrics, and the systems that search graph neural networks."""
