"""Graph neural networks: planned, nothing is here yet. `detection` shows the shape a task package takes."""
