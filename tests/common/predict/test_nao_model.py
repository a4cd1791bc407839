"""NAO's model: its code can be climbed, and the decoder reads it back."""

from random import Random

import numpy as np
import pytest
import torch

from common.errors import UserError
from common.predict.nao_model import Code, NAOModel
from common.space import Arch, Invalid, OneOf, Where, decode, sample
from common.streams import torch_stream
from tests.common.search.toys import SPACES, distance

EIGHT = tuple(OneOf(*"abcd") for _ in range(8))


def some(space, n, seed=0):
    rng = Random(seed)
    return [sample(space, rng) for _ in range(n)]


def target(arch):
    return float(sum(arch.values()))


@pytest.fixture(scope="module")
def fitted():
    archs = some(EIGHT, 40)
    return NAOModel(EIGHT, steps=200).fit(archs, [target(arch) for arch in archs], 0)


def test_the_decoder_reconstructs_the_training_pool(fitted):
    archs = some(EIGHT, 40)
    assert [distance(a, b) for a, b in zip(archs, fitted.decode(fitted.encode(archs)), strict=True)] == [0] * 40


def test_the_predictor_ranks_what_it_never_saw(fitted):
    others = some(EIGHT, 200, seed=1)
    predicted = fitted(others)
    assert np.corrcoef(predicted.mean, [target(arch) for arch in others])[0, 1] > 0.8
    assert fitted.low <= predicted.mean.min() and predicted.mean.max() <= fitted.high and not predicted.std.any()


def test_the_value_rises_along_its_gradient_at_the_rate_of_taylor(fitted):
    code = fitted.encode(some(EIGHT, 20, seed=2))
    outputs = code.outputs.clone().requires_grad_()
    before = fitted.value(Code(outputs, code.live))
    (gradient,) = torch.autograd.grad(before.sum(), outputs)
    tangent = gradient - (gradient * code.outputs).sum(-1, keepdim=True) * code.outputs  # what scaling to length 1 leaves
    slope = (gradient * tangent).sum((1, 2))
    step = 0.02
    gain = fitted.value(fitted.uphill(code, step)) - before.detach()
    assert (gain > 0).all() and (slope > 0).all()
    torch.testing.assert_close(gain, step * slope, rtol=0.1, atol=1e-5)


def test_outputs_have_length_one_and_stay_so(fitted):
    code = fitted.encode(some(EIGHT, 5))
    for at in (code, fitted.uphill(code, 3.0)):
        torch.testing.assert_close(at.outputs.norm(dim=-1), torch.ones(5, 8))


def test_climbing_and_decoding_finds_better_architectures(fitted):
    archs = some(EIGHT, 40)
    climbed = fitted.decode(fitted.uphill(fitted.encode(archs), 20.0))
    assert np.mean([target(arch) for arch in climbed]) > np.mean([target(arch) for arch in archs]) + 3


@pytest.mark.parametrize("key", list(SPACES))
def test_whatever_the_code_what_is_decoded_is_an_architecture(key):
    space = SPACES[key]
    archs = some(space, 6)
    model = NAOModel(space, hidden=8, steps=1).fit(archs, [float(i) for i in range(6)], 0)
    noise = torch.randn(6, 5, 8, generator=torch_stream(0, key))
    written = model.decode(Code(noise, torch.ones(6, 5, dtype=torch.bool)))
    assert len(written) == 6 and (key == "where" or None not in written)
    for arch in written:
        if arch is not None:
            decode(space, arch)


def test_a_decoded_architecture_that_breaks_a_rule_is_none():
    never = Where(tuple(OneOf(1, 2) for _ in range(3)), lambda v: v == (1, 1, 1), "all ones")
    ones = [sample(Where(never.item, lambda v: sum(v) == 3, "ones"), Random(0))]
    model = NAOModel(never, hidden=4, steps=1).fit(ones * 2, [0.0, 1.0], 0)
    codes = torch.randn(60, 3, 4, generator=torch_stream(0))
    written = model.decode(Code(codes, torch.ones(60, 3, dtype=torch.bool)))
    assert None in written and {arch for arch in written if arch is not None} <= set(ones)
    with pytest.raises(Invalid):
        decode(never, {"0": 1, "1": 0, "2": 0})


@pytest.mark.parametrize("key", ["nested", "subset", "repeat"])
def test_padding_reaches_nothing(key):
    """An architecture's code and value do not depend on longer ones next to it, nor does its reconstruction."""
    space = SPACES[key]
    archs = sorted(dict.fromkeys(some(space, 12)), key=len)  # not a set: its order differs between processes
    assert len(archs[0]) < len(archs[-1])
    model = NAOModel(space, steps=150).fit(archs, [float(len(arch)) for arch in archs], 0)
    alone = np.concatenate([model([arch]).mean for arch in archs])
    np.testing.assert_allclose(model(archs).mean, alone, atol=1e-5)
    together = model.decode(model.encode(archs))
    assert together == [model.decode(model.encode([arch]))[0] for arch in archs]


def test_a_fit_is_a_function_of_its_arguments_and_touches_no_global_generator():
    archs = some(EIGHT, 10)
    scores = [target(arch) for arch in archs]
    state = torch.random.get_rng_state()
    one = NAOModel(EIGHT, steps=5).fit(archs, scores, 3)(archs).mean
    torch.testing.assert_close(torch.random.get_rng_state(), state)
    torch.rand(1)
    assert (NAOModel(EIGHT, steps=5).fit(archs, scores, 3)(archs).mean == one).all()
    assert (NAOModel(EIGHT, steps=5).fit(archs, scores, 4)(archs).mean != one).any()


def test_training_on_symmetric_forms_makes_their_predictions_alike():
    def swapped(arch, rng):
        return Arch({path: arch[str(7 - int(path))] for path in arch})

    archs = some(EIGHT, 30)
    twins = [swapped(arch, Random(0)) for arch in archs]
    scores = [float(arch["0"] + arch["7"]) for arch in archs]
    gaps = []
    for symmetric in (None, swapped):
        model = NAOModel(EIGHT, steps=150, symmetric=symmetric, forms=2).fit(archs, scores, 0)
        gaps.append(np.abs(model(archs).mean - model(twins).mean).mean())
    assert gaps[1] < 0.5 * gaps[0]


def test_equal_scores_and_bad_input():
    archs = some(EIGHT, 5)
    assert (NAOModel(EIGHT, steps=2).fit(archs, [4.0] * 5, 0)(archs).mean == 4.0).all()
    assert NAOModel(EIGHT, steps=1).fit(archs, [4.0] * 5, 0)([]).mean.shape == (0,)
    with pytest.raises(UserError, match="at least 2"):
        NAOModel(EIGHT).fit(archs[:1], [1.0], 0)
    with pytest.raises(UserError, match="steps 0: must be at least 1"):
        NAOModel(EIGHT, steps=0)
    with pytest.raises(UserError, match="every layer needs a width"):
        NAOModel(EIGHT, widths=(8, 0))
    with pytest.raises(UserError, match="needs dropout in"):
        NAOModel(EIGHT, dropout=1.0)
