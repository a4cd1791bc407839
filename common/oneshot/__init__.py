"""One-shot search as stages: train a supernet, rank its paths with inherited weights, retrain the best and its rivals."""
