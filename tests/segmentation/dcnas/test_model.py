"""What cells and networks compute."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.errors import UserError
from common.layers import Partial
from common.space import decode, sample
from common.streams import stream
from common.supernet import Supernet, opened
from segmentation.dcnas.cells import CellModule, Connection, InvertedResidual, operator, stem
from segmentation.dcnas.model import build
from segmentation.dcnas.space import SKIP, STEM, Cell, Network, dcnas_space, pruned
from tests.segmentation.dcnas.test_space import settled


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("stride", "size"), [(1, (37, 50)), (2, (19, 25)), (4, (10, 13)), (8, (5, 7))])
def test_the_stem_has_three_convolutions_to_its_stride(stride, size):
    made = stem(6, stride)
    assert made(random(2, 3, 37, 50)).shape == (2, 6, *size)
    assert sum(isinstance(part, nn.Conv2d) for part in made) == 3


def test_a_connection_has_one_convolution_for_each_octave_down():
    net = settled(width=4)
    maps = {STEM: random(2, 4, 13, 18)}
    made = Connection(STEM, 32, net)
    convs = [part for part in made.modules() if isinstance(part, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in convs] == [
        (4, 8, (3, 3), (2, 2)),
        (8, 16, (3, 3), (2, 2)),
        (16, 32, (3, 3), (2, 2)),
    ]
    assert made(maps, (2, 3)).shape == (2, 32, 2, 3)
    assert isinstance(list(made.modules())[-1], nn.Conv2d)  # the sum is normalised, not its terms


def test_a_connection_up_is_a_1x1_convolution_then_bilinear():
    made = Connection("s16_l2", 4, settled(width=4))
    x = random(2, 16, 4, 5)
    (conv,) = [part for part in made.modules() if isinstance(part, nn.Conv2d)]
    expected = F.interpolate(F.conv2d(x, conv.weight), (13, 18), mode="bilinear", align_corners=False)
    assert torch.equal(made({"s16_l2": x}, (13, 18)), expected)


def test_a_connection_at_one_stride_is_a_1x1_convolution():
    made = Connection("s8_l2", 8, settled(width=4))
    x = random(2, 8, 4, 5)
    assert torch.equal(made({"s8_l2": x}, (4, 5)), F.conv2d(x, made.align.weight))


@pytest.mark.parametrize(("name", "kernel", "expansion"), [("ir_k3_e3", 3, 3), ("ir_k7_e6", 7, 6)])
def test_operators_are_inverted_residuals(name, kernel, expansion):
    block = operator(name, 4)
    assert isinstance(block, InvertedResidual)
    inner = 4 * expansion
    assert sum(p.numel() for p in block.parameters()) == 2 * 4 * inner + kernel**2 * inner + 2 * (2 * inner + 4)
    x = random(2, 4, 6, 7)
    with torch.no_grad():
        block.layers[-1].weight.zero_()
    assert torch.equal(block(x), x)  # nothing but the input is left
    assert isinstance(operator(SKIP, 4), nn.Identity)


def test_a_cell_is_a_normalised_sum_and_an_operator():
    net = settled((4, 1, (STEM,)), (8, 1, (STEM,)), (4, 2, (STEM, "s4_l1", "s8_l1")))
    cell = CellModule(net.cells["s4_l2"], net).eval()
    maps = {STEM: random(2, 4, 6, 8), "s4_l1": random(2, 4, 6, 8), "s8_l1": random(2, 8, 3, 4)}
    total = sum(Connection.forward(part, maps, (6, 8)) for part in cell.fusion.members)
    torch.testing.assert_close(cell(maps), F.relu(total / (1 + 1e-5) ** 0.5))


def test_channels_beside_the_operator_pass_by():
    space = dcnas_space(layers=2, strides=(4, 8), width=8, operators=("ir_k3_e3",), partial=4)
    cell = build(decode(space, sample(space, stream(0, "bypass")))).cells["s8_l2"]
    assert isinstance(cell.op, Partial) and isinstance(cell.op.op, InvertedResidual)
    assert cell.op.op.layers[0].in_channels == 16 // 4
    cell.op.op = nn.Identity()
    x = torch.arange(16.0).reshape(1, 16, 1, 1)
    assert cell.op(x).flatten().tolist() == [4 * (i % 4) + i // 4 for i in range(16)]  # shuffled


@pytest.mark.parametrize(("height", "width"), [(64, 64), (45, 60), (33, 70)])
def test_maps_have_the_size_of_the_image_by_their_stride_rounded_up(height, width):
    space = dcnas_space(layers=3, width=4, partial=1)
    net = build(decode(space, sample(space, stream(0, "shapes")))).eval()
    maps = net(random(1, 3, height, width))
    assert net.strides == (4, 8, 16, 32) and net.channels == (4, 8, 16, 32)
    assert [x.shape for x in maps] == [(1, c, -(-height // s), -(-width // s)) for c, s in zip(net.channels, net.strides)]


def test_without_orphans_the_network_computes_the_same_with_the_same_weights():
    space = dcnas_space(layers=3, strides=(2, 4), width=4, operators=("ir_k3_e3", SKIP), partial=1)
    shared = Supernet(build(opened(space), seed=1), space)
    x, smaller = random(2, 3, 18, 21), 0
    for i in range(6):
        arch = sample(space, stream(0, "orphans", i))
        whole = shared.extract(arch, build).eval()
        left = build(pruned(decode(space, arch))).eval()
        state = whole.state_dict()
        left.load_state_dict({name: state[name] for name in left.state_dict()})
        with torch.no_grad():
            assert all(torch.equal(a, b) for a, b in zip(whole(x), left(x), strict=True))
        smaller += len(left.state_dict()) < len(state)
    assert smaller  # some had orphans


def test_weights_are_a_function_of_the_seed():
    space = dcnas_space(layers=2, strides=(4, 8), width=4, partial=1)
    before = torch.random.get_rng_state()
    a, b, c = (build(opened(space), seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["stem.0.weight"], c["stem.0.weight"])


def one(**change) -> Network:
    cell = replace(Cell(stride=4, layer=1, inputs=(STEM,), op=SKIP), **change)
    return Network(cells={cell.name: cell}, width=4)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (settled(), "a network without cells"),
        (replace(one(), width=6, partial=4), "width 6 cannot be shared out to partial=4"),
        (one(op="conv"), "operator 'conv' does not exist"),
        (one(inputs=()), "cell s4_l1 has no input"),
        (one(inputs=("s4_l0",)), "reads 's4_l0', which is no cell before it; it can read stem"),
        (one(inputs=("left",)), "input 'left': a cell is called s8_l3"),
        (one(stride=6), "cell s6_l1: its stride is not 4"),
        (one(stride=12), "cell s12_l1: its stride is not 4"),
        (Network(cells={"a": one().cells["s4_l1"]}, width=4), "call it s4_l1"),
        (replace(one(stride=32), stem_stride=16), "stem of stride 16"),
    ],
)
def test_a_description_that_no_network_fits_is_refused(net, message):
    with pytest.raises(UserError, match=message):
        build(net)
