"""The searches that share the space of PDNAS, as commands. No torch here: `--help` reads it."""

from __future__ import annotations

from common.system import Method
from graphs.pdnas.recipes import RECIPES

METHODS = (
    Method(
        name="pdnas",
        title="PDNAS",
        paper="arXiv:2003.09676",
        authors="Zhao et al., 2020",
        summary="search blocks and the shortcuts between them by gradients, from a graph to a report",
        recipes=RECIPES["pdnas"],
    ),
    Method(
        name="graphnas",
        title="GraphNAS",
        paper="arXiv:1904.09981",
        authors="Gao et al., IJCAI 2020",
        summary="search the space of PDNAS by REINFORCE, candidates trained from scratch",
        recipes=RECIPES["graphnas"],
    ),
    Method(
        name="evolution",
        title="Aging evolution on graphs",
        paper="arXiv:1802.01548",
        authors="Real et al., AAAI 2019",
        summary="search the space of PDNAS by aging evolution, candidates trained from scratch",
        recipes=RECIPES["evolution"],
    ),
    Method(
        name="halving",
        title="Successive halving on graphs",
        paper="arXiv:1502.07943",
        authors="Jamieson and Talwalkar, AISTATS 2016",
        summary="search the space of PDNAS by successive halving of random candidates, trained from scratch",
        recipes=RECIPES["halving"],
    ),
    Method(
        name="random",
        title="Random search on graphs",
        paper="arXiv:1902.07638",
        authors="Li and Talwalkar, UAI 2019",
        summary="search the space of PDNAS at random, candidates trained from scratch",
        recipes=RECIPES["random"],
    ),
)
"""Commands, in the order of the README."""
