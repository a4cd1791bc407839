"""A graph small enough to check by hand, and what blocks compute on it by n x n matrices: node i hears column j of row i."""

from functools import partial

import torch
from torch import Tensor, nn

from graphs.pdnas.edges import Edges, edges_of

NODES = 5
DIRECTED = (2, 3)
ALONE = 4
_TRIANGLE = [(0, 1), (1, 2), (0, 2)]
EDGE_INDEX = torch.tensor([*_TRIANGLE, *((b, a) for a, b in _TRIANGLE), DIRECTED]).t()
"""A triangle, in both directions; an edge from node 2 to node 3 alone; node 4 has none."""

HEARD = torch.eye(NODES, dtype=torch.bool)
"""[i, j]: whether node i hears node j; each hears itself."""
for _source, _target in EDGE_INDEX.t().tolist():
    HEARD[_target, _source] = True


def edges() -> Edges:
    return edges_of(EDGE_INDEX, NODES)


def features(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    return torch.randn(NODES, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def randomised(module: nn.Module, seed: int = 2) -> nn.Module:
    """With biases other than zero, vectors far from small, and outputs as large as inputs: a mistake could hide otherwise."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.7 if parameter.dim() == 1 else parameter.shape[1] ** -0.5, generator=generator)
    return module.eval()


def normalised() -> Tensor:
    """D^-1/2 (A + I) D^-1/2."""
    root = HEARD.double().sum(1).rsqrt()
    return root[:, None] * HEARD.double() * root[None, :]


def matrices(kind: str, z: Tensor, module: nn.Module) -> Tensor:
    """Weights (h, n, n) of the attention `module`, from z (n, h, c), in double precision; 0 where nothing is heard."""
    n, heads, each = z.shape
    z = z.double()
    if kind in ("const", "gcn"):
        return (HEARD.double() if kind == "const" else normalised()).expand(heads, n, n)
    leaky = partial(nn.functional.leaky_relu, negative_slope=0.2)
    left, right = (v.weight.detach().double().reshape(heads, each) for v in (module.left, module.right))
    scores = torch.full((heads, n, n), -torch.inf, dtype=torch.float64)
    for h in range(heads):
        for i, j in HEARD.nonzero().tolist():
            a, b, here, there = left[h], right[h], z[i, h], z[j, h]
            if kind == "gat":
                score = leaky(a @ here + b @ there)
            elif kind == "sym-gat":
                score = leaky(a @ here + b @ there) + leaky(a @ there + b @ here)
            elif kind == "cos":
                score = ((a * here) * (b * there)).sum()
            elif kind == "linear":
                score = torch.tanh(a @ there + b @ there)
            else:
                score = module.general.weight.detach().double() @ torch.tanh(a * here + b * there)
            scores[h, i, j] = score
    return scores.softmax(2)


def aggregated(kind: str, weights: Tensor, z: Tensor) -> Tensor:
    """(n, h, c) from weights (h, n, n) and z (n, h, c)."""
    carried = torch.einsum("hij,jhc->ijhc", weights, z.double())
    if kind == "max":
        return carried.masked_fill(~HEARD[:, :, None, None], -torch.inf).amax(1)
    total = carried.sum(1)
    return total / HEARD.sum(1)[:, None, None] if kind == "mean" else total


def close(ours: Tensor, reference: Tensor, tolerance: float = 1e-6) -> bool:
    """All entries, to `tolerance` of the largest one, or of 1 if that is larger."""
    assert ours.shape == reference.shape
    ours, reference = ours.detach().double(), reference.detach().double()
    return bool((ours - reference).abs().max() <= tolerance * max(1.0, float(reference.abs().max())))
