"""DCNAS (Zhang et al. 2021, arXiv 2003.11883): a grid of cells in which every cell may read all earlier ones, at all scales.

No official code is public. What the paper's text does not settle is reconstructed, and every such place is marked [R].
"""
