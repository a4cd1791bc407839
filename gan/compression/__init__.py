"""GAN Compression (Li et al. 2020, arXiv 2003.08936): narrow generators searched under a large one's guidance."""
