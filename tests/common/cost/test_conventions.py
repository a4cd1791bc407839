"""What the default convention counts, against torch's own counter and the formulas of textbooks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import vit_b_16

from common.cost.conventions import contractions, conv_linear, nothing, output_elements
from common.cost.count import count

X = torch.empty(2, 5, 8, device="meta")  # two sequences of five tokens
QUERIES = torch.empty(2, 4, 5, 8, device="meta")  # four heads


class Calls(nn.Module):
    """A network that is one call."""

    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.call = call

    def forward(self, *inputs: Tensor) -> Any:
        return self.call(*inputs)


def empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def by_torch(module: nn.Module, *inputs: Tensor) -> int:
    """Multiply-adds of a pass by `torch.utils.flop_counter`, which counts two FLOPs for each."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
        module.to("meta")(*inputs)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


LAYERS: list[tuple[nn.Module, tuple[Tensor, ...]]] = [
    (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (empty(2, 4, 11),)),
    (nn.Conv2d(4, 6, (3, 1), stride=2, padding="valid", groups=2), (empty(2, 4, 11, 7),)),
    (nn.Conv2d(4, 8, 3, padding=1, groups=4, padding_mode="circular"), (empty(4, 9, 9),)),  # an image without a batch
    (nn.Conv3d(2, 4, 3, dilation=2), (empty(1, 2, 7, 8, 9),)),
    (nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1), (empty(2, 4, 5),)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, dilation=2), (empty(2, 4, 5, 6),)),
    (nn.ConvTranspose3d(2, 4, 2, stride=2), (empty(1, 2, 3, 4, 5),)),
    (nn.Linear(8, 3), (X,)),
    (nn.Linear(8, 3, bias=False), (empty(8),)),
    (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (X,)),
    (nn.TransformerDecoderLayer(8, 4, 16), (X, X)),
    (nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval(), (X,)),  # has a fused path
    (nn.LSTMCell(8, 3), (empty(2, 8),)),
    (nn.GRUCell(8, 3), (empty(2, 8),)),
    (nn.RNNCell(8, 3, nonlinearity="relu"), (empty(2, 8),)),
]


@pytest.mark.parametrize(("layer", "inputs"), LAYERS, ids=lambda value: type(value).__name__)
def test_layers_count_what_torch_counts(layer, inputs):
    cost = count(layer, inputs)
    assert cost.macs == by_torch(layer, *inputs) > 0
    assert (cost.convention, cost.uncounted) == ("contractions", ())


CALLS: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "matmul": (torch.matmul, (X, X.mT)),
    "matmul, batch by matrix": (torch.matmul, (X, empty(8, 3))),
    "matmul, broadcast": (torch.matmul, (empty(3, 1, 5, 8), empty(2, 8, 4))),
    "@": (lambda a, b: a @ b, (X, X.mT)),
    "method": (lambda a, b: a.matmul(b), (X, X.mT)),
    "mm": (torch.mm, (empty(3, 4), empty(4, 5))),
    "bmm": (torch.bmm, (X, X.mT)),
    "bmm as a method": (lambda a, b: a.bmm(b), (X, X.mT)),
    "addmm": (torch.addmm, (empty(5), empty(3, 4), empty(4, 5))),
    "baddbmm": (torch.baddbmm, (empty(2, 5, 5), X, X.mT)),
    "tensordot": (lambda a, b: torch.tensordot(a, b, dims=2), (empty(3, 4, 5), empty(4, 5, 6))),
    "inner": (torch.inner, (X, X)),
    "outer": (torch.outer, (empty(5), empty(6))),
    "multi_dot": (lambda a, b, c: torch.linalg.multi_dot([a, b, c]), (empty(9, 2), empty(2, 7), empty(7, 3))),
    "matrix_power": (lambda a: torch.linalg.matrix_power(a, 5), (empty(4, 4),)),
    "einsum": (lambda a, b: torch.einsum("bij,bkj->bik", a, b), (X, X)),
    "einsum, implicit": (lambda a, b: torch.einsum("ij,jk", a, b), (empty(3, 4), empty(4, 5))),
    "einsum, dots": (lambda a, b: torch.einsum("...ij,kj->...ik", a, b), (X, empty(3, 8))),
    "einsum, sublists": (lambda a, b: torch.einsum(a, [0, 1, 2], b, [0, 3, 2], [0, 1, 3]), (X, X)),
    "einsum, three factors": (lambda a, b: torch.einsum("bij,bkj,bkl->bil", a, b, b), (X, X)),
    "einsum, to a number": (lambda a, b: torch.einsum("i,i->", a, b), (empty(6), empty(6))),
    "einsum, outer": (lambda a, b: torch.einsum("i,j->ij", a, b), (empty(6), empty(3))),
    "einsum, transposed": (lambda a: torch.einsum("ij->ji", a), (empty(6, 3),)),
    "fused attention": (F.scaled_dot_product_attention, (QUERIES, QUERIES, QUERIES)),
    "fused, keys of another length, values of another width": (
        F.scaled_dot_product_attention,
        (QUERIES, empty(2, 4, 7, 8), empty(2, 4, 7, 3)),
    ),
    "fused, keys of all items": (F.scaled_dot_product_attention, (QUERIES, empty(1, 1, 7, 8), empty(1, 1, 7, 8))),
    "fused, values of each item": (F.scaled_dot_product_attention, (empty(1, 4, 5, 8), empty(1, 4, 7, 8), empty(2, 4, 7, 3))),
    "fused, grouped queries": (
        lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True),
        (QUERIES, empty(2, 2, 7, 8)),
    ),
    "fused, causal": (lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True), (QUERIES,)),
}


@pytest.mark.parametrize("name", CALLS)
def test_products_count_what_torch_counts(name):
    call, inputs = CALLS[name]
    expected = by_torch(Calls(call), *inputs)
    for _ in range(2):  # as it is looked into, and as it is remembered
        cost = count(Calls(call), inputs)
        assert (cost.macs, cost.uncounted) == (expected, ())
    assert (expected == 0) == (name in ("outer", "einsum, outer", "einsum, transposed"))


@pytest.mark.parametrize(
    ("call", "shapes", "macs"),
    [
        (torch.mv, ((3, 4), (4,)), 12),
        (torch.matmul, ((2, 3, 4), (4,)), 24),
        (torch.dot, ((4,), (4,)), 4),
        (torch.addmv, ((3,), (3, 4), (4,)), 12),
        (torch.Tensor.addmm_, ((3, 5), (3, 4), (4, 5)), 60),
        (torch.addbmm, ((3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5),
        (F.bilinear, ((6, 3), (6, 4), (5, 3, 4)), 6 * 5 * 3 * 4),
    ],
)
def test_products_that_torch_leaves_out(call, shapes, macs):
    inputs = [empty(*shape) for shape in shapes]
    assert count(Calls(call), inputs).macs == macs


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"batch_first": True},
        {"kdim": 6, "vdim": 3},
        {"add_bias_kv": True, "bias": False},
        {"add_zero_attn": True},
    ],
    ids=str,
)
def test_every_path_of_multi_head_attention(options: dict[str, Any], training: bool, need_weights: bool):
    attention = nn.MultiheadAttention(8, 2, **options, device="meta").train(training)
    keys, values = empty(7, 2, options.get("kdim", 8)), empty(7, 2, options.get("vdim", 8))
    inputs = (X, X, X) if "batch_first" in options else (empty(5, 2, 8), keys, values)
    run = Calls(lambda q, k, v: attention(q, k, v, need_weights=need_weights))
    expected = by_torch(run, *inputs)
    assert count(run, inputs).macs == count(attention, inputs).macs == expected
    if options == {"batch_first": True}:
        assert expected == 2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8)


GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_recurrent_layers_by_the_formula_of_textbooks(kind, bidirectional, layers):
    steps, items, width, hidden = 3, 2, 5, 6
    directions = 2 if bidirectional else 1
    widths = [width, *[directions * hidden] * (layers - 1)]
    macs = items * steps * directions * sum(GATES[kind] * hidden * (inner + hidden) for inner in widths)
    for first in (False, True):
        layer = kind(width, hidden, layers, batch_first=first, bidirectional=bidirectional)
        x = empty(items, steps, width) if first else empty(steps, items, width)
        assert count(layer, (x,)).macs == macs == by_torch(layer, x)
    assert count(layer, (empty(steps, width),)).macs == macs // items


def test_recurrent_layers_with_a_projection_and_of_sequences_of_several_lengths():
    lstm = nn.LSTM(5, 6, 2, proj_size=3)
    per_step = 4 * 6 * (5 + 3) + 6 * 3 + 4 * 6 * (3 + 3) + 6 * 3
    assert count(lstm, (empty(7, 2, 5),)).macs == 14 * per_step
    packed: Any = pack_padded_sequence(torch.zeros(7, 2, 5), [7, 4])
    assert count(lstm, (packed,)).macs == 11 * per_step
    gru = nn.GRU(5, 6)
    assert count(gru, (packed,)).macs == 11 * 3 * 6 * (5 + 6)


sizes = st.integers(1, 5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.booleans(), st.integers(1, 3), sizes, sizes, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_any_convolution(space, transposed, groups, width_in, width_out, kernel, stride, dilation):
    kinds = [(nn.Conv1d, nn.ConvTranspose1d), (nn.Conv2d, nn.ConvTranspose2d), (nn.Conv3d, nn.ConvTranspose3d)]
    kind = kinds[space - 1][transposed]
    layer = kind(groups * width_in, groups * width_out, kernel, stride, dilation=dilation, groups=groups, device="meta")
    x = empty(2, groups * width_in, *range(7, 7 + space))
    assert count(layer, (x,)).macs == by_torch(layer, x)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abcd", min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_any_einsum(factors, data):
    factors = ["".join(dict.fromkeys(letters)) for letters in factors]
    seen = sorted(set("".join(factors)))
    result = "".join(data.draw(st.permutations(data.draw(st.lists(st.sampled_from(seen), unique=True)))))
    extent = {letter: data.draw(sizes) for letter in seen}
    inputs = [empty(*(extent[letter] for letter in letters)) for letters in factors]
    run = Calls(lambda *tensors: torch.einsum(f"{','.join(factors)}->{result}", *tensors))
    assert count(run, inputs).macs == by_torch(run, *inputs)


@settings(max_examples=30, deadline=None)
@given(st.lists(sizes, max_size=2), st.lists(st.booleans(), min_size=2, max_size=2), sizes, sizes, sizes)
def test_any_product_of_matrices(batch, ones, rows, shared, columns):
    lead = [[1 if one else n for n in batch] for one in ones]
    inputs = empty(*lead[0], rows, shared), empty(*lead[1], shared, columns)
    assert count(Calls(torch.matmul), inputs).macs == by_torch(Calls(torch.matmul), *inputs)


def test_vit_b_16_has_17_56_giga_multiply_adds():
    """As torchvision prints for its weights (`_ops`: 17.564): by `contractions`, attention's products included."""
    with torch.device("meta"):
        network = vit_b_16().eval()
    image = empty(1, 3, 224, 224)
    cost = count(network, (image,))
    tokens, width = 14 * 14 + 1, 768
    block = 12 * tokens * width**2 + 2 * tokens**2 * width
    assert cost.macs == 14 * 14 * 3 * 16**2 * width + 12 * block + width * 1000 == by_torch(network, image)
    assert round(cost.macs / 1e9, 2) == 17.56
    assert cost.params == 86_567_656


def test_a_sum_of_elementwise_products_counts_nothing():
    """It cannot be told from a scaling and a pooling."""
    assert count(Calls(lambda a: (a * a).sum(-1)), (X,)).macs == 0


def test_contractions_count_in_inference_mode_too():
    with torch.inference_mode():
        assert count(Calls(lambda a: torch.einsum("bij,bkj->bik", a, a)), (X,)).macs == 2 * 5 * 5 * 8
        inside = count(nn.MultiheadAttention(8, 2), (X, X, X))
    assert inside == count(nn.MultiheadAttention(8, 2), (X, X, X)) and not inside.uncounted


def test_an_extended_convention():
    fewer = contractions.extended("fewer", {torch.matmul: nothing, F.relu: lambda args, kwargs, out: out.numel()})
    cost = count(Calls(lambda a: torch.matmul(F.relu(a), a.mT) + torch.bmm(a, a.mT)), (X,), convention=fewer)
    assert (cost.macs, cost.convention, cost.uncounted) == (X.numel() + 2 * 5 * 5 * 8, "fewer", ())
    whole = conv_linear.extended("whole", {F.multi_head_attention_forward: nothing})
    assert conv_linear.partly and not whole.partly and output_elements.partly
