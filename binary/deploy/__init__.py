"""Trained binary networks with packed weights, and one file that runs them."""
