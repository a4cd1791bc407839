"""The DARTS cell space (Liu et al. 2019, arXiv 1806.09055): networks, search space, published cells."""
