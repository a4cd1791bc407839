"""Numbers of groups of a binary MobileNet by evolution (Phan et al. 2020, arXiv 2005.06305)."""
