"""Channel widths of binary networks by evolution (Shen et al. 2019, arXiv 1909.07378)."""
