"""From learnt strengths to a network: DCNAS's derivation (arXiv 2003.11883; a reconstruction [R], as is each rule named here).

Each cell takes its strongest operator, and its strongest inputs: the k largest, k being the space's limit, or those above a
threshold, up to k. Then cells without a path from the stem to an output are left out.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random

import torch

from common.relax.discretise import discretise
from common.relax.scores import OptionScores
from common.space import Arch, ManyOf, decisions, decode
from common.streams import torch_stream
from segmentation.dcnas.space import Network, standalone


def derived(space: Network, strengths: OptionScores, threshold: float | None = None) -> Arch:
    """The architecture of the strongest operators and inputs; `network_of` gives its network.

    Args:
        space: what was searched.
        strengths: for every decision of it, one number for each operator or possible input: softmax(alpha), softmax(beta).
        threshold: of an input's strength, softmax(beta) itself: one that is larger counts, and the strongest one always does.
            By default a cell takes as many as the space allows, or all that it has.

    Raises:
        UserError: strengths that do not fit the space.
    """
    return discretise(space, strengths, threshold=threshold)


def network_of(space: Network, arch: Arch) -> Network:
    """The network that is trained at last: that of `arch` without orphans, its operators on all channels.

    The output at every stride has a path from the stem, since every cell of an architecture has an input before it.
    """
    return standalone(decode(space, arch))


def random_alike(space: Network, arch: Arch, rng: Random, forbidden: Collection[str] = ()) -> Arch:
    """A random architecture of the same form: every cell has as many inputs as in `arch`, drawn uniformly, and any operator.

    Derivation takes as many inputs as the space allows, or a threshold lets through; an architecture drawn uniformly from the
    space has fewer connections than that, and would be a weaker rival for a reason that no search is needed for.

    Args:
        space: of the architectures.
        arch: what the inputs are counted in.
        rng: of the draws.
        forbidden: operators that are not taken.
    """
    choices: dict[str, int] = {}
    for path, decision in decisions(space).items():
        if isinstance(decision, ManyOf):
            taken = decision.subset(arch[path])
            choices[path] = decision.rank(sorted(rng.sample(range(len(decision.options)), len(taken))))
        else:
            choices[path] = rng.choice([i for i, name in enumerate(decision.labels) if name not in forbidden])
    return Arch(choices)


def random_derived(space: Network, seed: int) -> Arch:
    """An architecture derived from strengths that are random: what a search has to beat.

    Every operator of a cell, and every set of as many inputs as are derived, is equally likely.
    """
    rng = torch_stream(seed, "dcnas", "random")
    strengths = {path: torch.rand(len(d.options), generator=rng) for path, d in decisions(space).items()}
    return derived(space, strengths)
