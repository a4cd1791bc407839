"""NAS-FPN: search of the feature pyramid (Ghiasi et al., CVPR 2019, arXiv 1904.07392)."""
