"""Packed convolutions give what float convolutions of signs give, exactly."""

from __future__ import annotations

import copy
import inspect
import io
import multiprocessing
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional as F

from binary.packed import processor, reference
from binary.packed.layer import PackedConv2d
from common.errors import UserError
from common.extras import MissingPackages
from tests.binary.packed.cases import needs_compiler, random_case


@pytest.mark.parametrize("part", range(5))
def test_random_convolutions_are_those_of_signs(part):
    for seed in range(100 * part, 100 * part + 100):
        case = random_case(seed)
        got, want = case.layer("numba")(case.x), case.expected()
        assert torch.equal(got, want), (seed, case.options, case.x.shape, case.weight.shape)
        if want[0].numel() > want.shape[1] > 1 and not case.x.is_contiguous():
            assert got.is_contiguous(memory_format=torch.channels_last), seed
        if case.x.is_contiguous():
            assert got.is_contiguous(), seed


def test_the_reference_gives_the_same():
    for seed in range(500, 540):
        case = random_case(seed)
        threshold = None if case.threshold is None else case.threshold.numpy()
        geometry = case.layer("numba").geometry
        kinds = case.options["activations"], case.options["pad"]
        got = reference.convolve(case.x.numpy(), case.weight.numpy(), threshold, geometry, *kinds)
        assert np.array_equal(got, case.expected().numpy()), seed


@pytest.mark.parametrize("kernel", ["numba", pytest.param("compiled", marks=needs_compiler)])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("channels", [31, 300, 70_000])
def test_rows_that_differ_everywhere(channels, groups, kernel):
    layer = PackedConv2d(-torch.ones(groups, channels, 1, 1), groups=groups, kernel=kernel)
    assert torch.equal(layer(torch.ones(1, groups * channels, 1, 3)), torch.full((1, groups, 1, 3), -float(channels)))


def test_zero_is_positive():
    weight = torch.tensor([[[[0.0]]], [[[-0.0]]], [[[-1.0]]]])
    x = torch.tensor([0.0, -0.0, -1e-30, 1e-30]).view(1, 1, 2, 2)
    got = PackedConv2d(weight)(x)
    assert got.flatten(2).tolist() == [[[1, 1, -1, 1], [1, 1, -1, 1], [-1, -1, 1, -1]]]


def test_the_threshold_is_added_in_float32():
    x = torch.tensor([0.1, 0.1 - 1e-8, 0.0999999]).view(1, 3, 1, 1)
    threshold = torch.full((3,), -0.1)
    layer = PackedConv2d(torch.ones(3, 1, 1, 1), groups=3, threshold=threshold)
    assert torch.equal(layer(x), torch.where(x + threshold.view(1, 3, 1, 1) >= 0, 1.0, -1.0))


@pytest.mark.parametrize("channels", [1, 4, 7, 16])
def test_values_are_whole_of_one_parity_and_in_their_range(channels):
    groups, generator = 12, torch.Generator().manual_seed(channels)
    weight = torch.randn(groups * 2, channels, 3, 3, generator=generator)
    x = torch.randn(2, groups * channels, 9, 8, generator=generator)
    got = PackedConv2d(weight, groups=groups)(x)
    assert got.abs().max() <= 9 * channels
    assert torch.equal(got, got.round()) and torch.all((got - 9 * channels) % 2 == 0)
    assert got.std() > 0


def test_several_threads_give_the_same():
    case = random_case(7)
    alone = case.layer("numba")(case.x)
    torch.set_num_threads(3)
    try:
        assert torch.equal(case.layer("numba")(case.x), alone)
    finally:
        torch.set_num_threads(1)


def test_a_forked_process_starts_threads_of_its_own():
    layer, x = PackedConv2d(torch.randn(8, 3, 3, 3)), torch.randn(1, 3, 9, 9)
    torch.set_num_threads(2)
    try:
        want = layer(x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # this process has threads: that is what is tried
            child = multiprocessing.get_context("fork").Process(target=_compare, args=(layer, x, want))
            child.start()
        child.join(30)
        assert child.exitcode == 0
    finally:
        torch.set_num_threads(1)
        if child.is_alive():
            child.kill()


def _compare(layer, x, want):
    assert processor.in_parts(lambda first, last: None, 2) is None and torch.equal(layer(x), want)


def test_no_pictures_and_inputs_with_gradients():
    layer = PackedConv2d(torch.randn(8, 3, 3, 3))
    assert layer(torch.empty(0, 3, 5, 5)).shape == (0, 8, 3, 3)
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(layer(x.clone().requires_grad_()), layer(x))


def test_an_input_that_is_a_part_of_another():
    weight, x = torch.randn(8, 6, 3, 3), torch.randn(2, 12, 9, 9)
    part = x[:, ::2, 1:]
    assert not part.is_contiguous()
    signs = torch.where(part >= 0, 1.0, -1.0)
    assert torch.equal(PackedConv2d(weight)(part), F.conv2d(signs, torch.where(weight >= 0, 1.0, -1.0)))


def test_the_state_has_one_bit_per_weight_and_is_enough():
    weight, x = torch.randn(64, 128, 3, 3), torch.randn(1, 128, 6, 6)
    layer = PackedConv2d(weight, padding=1, threshold=torch.randn(128))
    state = layer.state_dict()
    assert sorted(state) == ["threshold", "words"]
    assert state["words"].dtype == torch.int64 and state["words"].numel() * 64 == weight.numel()
    other = PackedConv2d(torch.randn_like(weight), padding=1, threshold=torch.zeros(128))
    assert not torch.equal(other(x), layer(x))
    other.load_state_dict(load(save(state)))
    assert torch.equal(other(x), layer(x))
    assigned = PackedConv2d(torch.randn_like(weight), padding=1, threshold=torch.zeros(128))
    assigned.load_state_dict(state, assign=True)
    assert torch.equal(assigned(x), layer(x))
    file = io.BytesIO()
    torch.save(copy.deepcopy(layer), file)
    assert torch.equal(torch.load(io.BytesIO(file.getvalue()), weights_only=False)(x), layer(x))


def test_it_runs_under_inference_mode_and_in_a_sequence():
    network = torch.nn.Sequential(PackedConv2d(torch.randn(8, 3, 3, 3)), torch.nn.BatchNorm2d(8)).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 3, 5, 5)).shape == (1, 8, 3, 3)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_exports_and_compilers_leave_it_as_one_operator(layout):
    network = torch.nn.Sequential(PackedConv2d(torch.randn(70, 20, 3, 3), stride=(2, 1), padding=1), torch.nn.ReLU())
    x = torch.randn(2, 20, 7, 8).contiguous(memory_format=layout)
    program = torch.export.export(network, (x,))
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert targets == ["tasknas.packed_conv2d.default", "aten.relu.default"]
    assert torch.equal(program.module()(x), network(x))
    assert torch.equal(torch.compile(network, backend="eager", fullgraph=True)(x), network(x))
    torch.library.opcheck(torch.ops.tasknas.packed_conv2d.default, _arguments(network[0], x), test_utils=CHECKS)


CHECKS = ("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")


def _arguments(layer, x):
    from binary.packed.operator import numbers

    arrays = (layer.lanes, layer.base, layer.corrections, layer.threshold)
    return (x, *arrays, numbers(layer.geometry), layer.activations, layer.pad, layer.kernel)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 5}, "groups=5 with 20 input and 6 output channels: give a number that divides both"),
        ({"groups": 0}, "groups=0 .*divides both"),
        ({"stride": 0}, r"stride=\(0, 0\): give 1 or more"),
        ({"padding": (0, -1)}, r"padding=\(0, -1\): give 0 or more"),
        ({"pad": "one", "activations": "bits"}, "only signs are padded with \\+1; give pad='zero'"),
        ({"activations": "bits", "threshold": torch.zeros(4)}, "only signs have one; leave it out"),
        ({"threshold": torch.zeros(5)}, "a threshold of 5 channels: give one for each of 4 inputs"),
        ({"threshold": torch.zeros(4, dtype=torch.float64)}, "threshold of type torch.float64: give torch.float32"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(UserError, match=message):
        PackedConv2d(torch.ones(6, 4, 3, 3), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad": "two"}, "pad='two': give one of zero, one"),
        ({"activations": "both"}, "activations='both': give one of sign, bits"),
        ({"kernel": "magic"}, "kernel='magic': give one of numba, compiled, triton"),
    ],
)
def test_names_that_are_none(options, message):
    init = inspect.unwrap(PackedConv2d.__init__)  # the checks of types would refuse them first
    with pytest.raises(UserError, match=message):
        init(PackedConv2d.__new__(PackedConv2d), torch.ones(6, 4, 3, 3), **options)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(1, 4, 5, 5, dtype=torch.float64), "input of type torch.float64: give torch.float32"),
        (torch.ones(1, 5, 5, 5), r"an input of shape \(1, 5, 5, 5\): give \(n, 4, h, w\)"),
        (torch.ones(1, 4, 2, 5), "an input of 2 x 5 pixels: a kernel of .* does not fit"),
        (torch.ones(1, 4, 5, 5, device="meta"), "an input on meta: kernel='numba' computes on cpu; move it there"),
    ],
)
def test_inputs_that_cannot_be(x, message):
    with pytest.raises(UserError, match=message):
        PackedConv2d(torch.ones(6, 4, 3, 3)).forward(x)


def test_half_precision_weights():
    with pytest.raises(UserError, match=r"weight of type torch.float16: give torch.float32"):
        PackedConv2d(torch.ones(6, 4, 3, 3, dtype=torch.float16))


def test_numba_that_is_not_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "binary.packed.with_numba", raising=False)
    monkeypatch.delattr("binary.packed.with_numba", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr("common.extras.missing", lambda extra: ["numba"])
    with pytest.raises(MissingPackages, match=r"numba not installed: binary needs it; run pip install 'tasknas\[binary\]'"):
        PackedConv2d(torch.ones(6, 4, 3, 3))


def test_the_package_imports_nothing_heavy():
    code = "import sys, binary.packed; print(*{'torch', 'numba', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


@pytest.mark.parametrize("groups", [1, 16])
def test_a_network_that_is_moved_to_another_layout_gives_the_same_numbers(groups):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(80, 16 // groups, 3, 3, generator=generator)
    layer = PackedConv2d(weight, padding=1, groups=groups)
    x = torch.randn(2, 16, 6, 5, generator=generator)
    wanted = layer(x)
    moved = nn.Sequential(layer).to(memory_format=torch.channels_last)
    assert torch.equal(moved(x), wanted)
    assert torch.equal(moved(x.contiguous(memory_format=torch.channels_last)), wanted)


def test_weights_of_another_geometry_are_refused():
    layer = PackedConv2d(torch.randn(80, 16, 3, 3), padding=1)
    layer.lanes = layer.lanes[:, :-1].contiguous()
    with pytest.raises(
        UserError, match=r"weights of shape \(2, 17, 64\) for a geometry of \(2, 18, 64\): pack the weights again"
    ):
        layer(torch.randn(1, 16, 4, 4))
