"""DetNAS: backbone search for object detection (Chen et al., NeurIPS 2019, arXiv 1903.10979)."""
