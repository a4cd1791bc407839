"""What each dimension of a result depends on: every dimension of the arguments has a letter of its own, or shares one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from common.cost.dims import aligned, depends, everything, mark, plus, through
from common.cost.presence import NONE
from common.cost.shapes import tensors_in

SIZES = dict(zip("abcdehijklmnopqrstw", (2, 3, 4, 5, 6, 4, 6, 5, 7, 3, 2, 4, 8, 9, 3, 2, 6, 4, 8), strict=True))


class Following(TorchFunctionMode):
    """Marks the result of every operation."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tensors_in(out):
            mark(tensor, through(func, args, kwargs or {}, tensor, everything(tensors_in((args, kwargs)))))
        return out


def marked(letters: str) -> Tensor:
    """A tensor of which each dimension depends on the decision of its letter; 1 is a dimension of one entry."""
    tensor = torch.empty([1 if letter == "1" else SIZES[letter] for letter in letters], device="meta")
    mark(tensor, tuple(NONE if letter == "1" else frozenset(letter) for letter in letters))
    return tensor


CASES: list[tuple[str, Callable[..., Any], str]] = [
    # arguments, operation, result: dimensions apart by spaces, each with its letters; 1 for one that depends on nothing
    ("abc", lambda x: F.gelu(x), "a b c"),
    ("abc abc", lambda x, y: x + y, "a b c"),
    ("abc c", lambda x, y: x * y, "a b c"),
    ("abc 11c", lambda x, y: x - y, "a b c"),
    ("ab1 c", lambda x, y: torch.add(x, y), "a b c"),
    ("abc c c", lambda x, w, b: F.layer_norm(x, (4,), w, b), "a b c"),
    ("abc adc", lambda x, y: torch.cat([x, y], 1), "a bd c"),
    ("abc", lambda x: x.chunk(2, 2)[1], "a b c"),
    ("abhw", lambda x: F.interpolate(x, scale_factor=2), "a b h w"),
    ("abhw cb11", lambda x, w: F.conv2d(x, w), "a bc bch bcw"),
    ("abhw bc11", lambda x, w: F.conv_transpose2d(x, w), "a bc bch bcw"),
    ("abh cb1", lambda x, w: F.conv1d(x, w), "a bc bch"),
    ("bhw cb11", lambda x, w: F.conv2d(x, w), "bchw bchw bchw"),
    ("abc dc", lambda x, w: F.linear(x, w), "a b d"),
    ("abc acd", lambda x, y: x @ y, "a b d"),
    ("abc cd", lambda x, y: torch.matmul(x, y), "a b d"),
    ("1bc acd", lambda x, y: torch.matmul(x, y), "a b d"),
    ("abc c", lambda x, y: torch.matmul(x, y), "abc abc"),
    ("abc acd", lambda x, y: torch.bmm(x, y), "a b d"),
    ("bc cd", lambda x, y: x.mm(y), "b d"),
    ("abc adc", lambda x, y: torch.einsum("abc, adc -> dab", x, y), "d a b"),
    ("abc adc", lambda x, y: torch.einsum("...c,...c", x, y[:, :3]), "abcd abcd"),
    ("abcd abed abek", lambda q, k, v: F.scaled_dot_product_attention(q, k, v), "a b c k"),
    ("abc", lambda x: x.transpose(1, -1), "a c b"),
    ("abc", lambda x: x.transpose(dim0=0, dim1=1), "b a c"),
    ("abc", lambda x: x.permute(2, 0, 1), "c a b"),
    ("abc", lambda x: x.permute((2, 0, 1)), "c a b"),
    ("abc", lambda x: torch.permute(x, dims=(0, 2, 1)), "a c b"),
    ("abc", lambda x: x.mT, "a c b"),
    ("bc", lambda x: x.T, "c b"),
    ("bc", lambda x: x.t(), "c b"),
    ("abc", lambda x: x.view(2, 3, -1, 2), "1 1 abc 1"),
    ("abc", lambda x: x.reshape((-1, 4)), "abc 1"),
    ("abc", lambda x: torch.reshape(x, shape=(6, 4)), "1 1"),
    ("abc", lambda x: x.view(torch.int32), "abc abc abc"),
    ("abcd", lambda x: x.flatten(2), "a b cd"),
    ("abcd", lambda x: torch.flatten(x, start_dim=1, end_dim=-2), "a bc d"),
    ("abcd", lambda x: x.flatten(), "abcd"),
    ("abc", lambda x: x.unflatten(-1, (2, -1)), "a b 1 c"),
    ("abc", lambda x: x.unflatten(0, (1, -1)), "1 a b c"),
    ("abc", lambda x: x.unsqueeze(1), "a 1 b c"),
    ("abc", lambda x: x.unsqueeze(-1), "a b c 1"),
    ("abhw", lambda x: x.mean((2, 3)), "a b"),
    ("abhw", lambda x: x.mean(dim=(-2, -1), keepdim=True), "a b 1 1"),
    ("abc", lambda x: x.sum(1), "a c"),
    ("abc", lambda x: x.sum(), ""),
    ("abc", lambda x: x[:, :2], "a b c"),
    ("abc", lambda x: x[:, 0], "a c"),
    ("abc", lambda x: x[0], "b c"),
    ("abc", lambda x: x[..., None, 0], "a b 1"),
    ("abc", lambda x: x[torch.zeros(3, dtype=torch.long)], "abc abc abc"),
    ("abc", lambda x: x.cumsum(1), "abc abc abc"),  # of an operation without a rule nothing is known
    ("1bc", lambda x: x.expand(2, -1, -1), "1 b c"),
]


@pytest.mark.parametrize(("arguments", "call", "expected"), CASES, ids=[f"{i} {case[0]}" for i, case in enumerate(CASES)])
def test_rules(arguments, call, expected):
    tensors = [marked(letters) for letters in arguments.split()]
    with Following():
        out = call(*tensors)
    assert ["".join(sorted(paths)) or "1" for paths in depends(out)] == expected.split()


def test_dims():
    x = marked("ab")
    assert depends(torch.zeros(2, 3)) == (NONE, NONE)
    assert plus(depends(x), frozenset("c")) == (frozenset("ac"), frozenset("bc"))
    assert plus(depends(x), NONE) is depends(x)
    assert aligned([depends(x), depends(marked("c"))], 2) == (frozenset("a"), frozenset("bc"))
    assert aligned([depends(x)], 1) is None
    assert everything([x, marked("c"), torch.zeros(2)]) == frozenset("abc") and everything([]) == NONE
