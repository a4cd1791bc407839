"""Search for object detectors."""
