"""Elastic layers beside torch's own: the widest form, single paths by hand, and what is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.space import OneOf
from common.supernet import (
    attention,
    batch_norm,
    conv1d,
    conv2d,
    conv3d,
    depthwise,
    embedding,
    fmap,
    group_norm,
    layer_norm,
    linear,
    opened,
    parameter,
    scale,
    shift,
)

OPENED = opened({"width": OneOf(4, 8, 12), "kernel": OneOf(1, 3, 5), "groups": OneOf(1, 2, 4)})
W, K, G = OPENED["width"], OPENED["kernel"], OPENED["groups"]
BY_FOUR = fmap(lambda width: width // 4, W)
WIDEST = {
    "layer_norm": (lambda: layer_norm(W, eps=1e-3), lambda: nn.LayerNorm(12, eps=1e-3), (2, 5, 12)),
    "group_norm": (lambda: group_norm(4, W), lambda: nn.GroupNorm(4, 12), (2, 12, 5)),
    "group_norm, channels": (lambda: group_norm(BY_FOUR, W), lambda: nn.GroupNorm(3, 12), (2, 12, 5)),
    "conv1d": (lambda: conv1d(W, W, K, 2), lambda: nn.Conv1d(12, 12, 5, 2, 2), (2, 12, 9)),
    "conv2d": (lambda: conv2d(W, W, K), lambda: nn.Conv2d(12, 12, 5, padding=2), (2, 12, 7, 6)),
    "conv3d": (lambda: conv3d(W, W, K, dilation=2), lambda: nn.Conv3d(12, 12, 5, padding=4, dilation=2), (2, 12, 5, 6, 7)),
    "unbatched": (lambda: conv1d(W, W, K), lambda: nn.Conv1d(12, 12, 5, padding=2), (12, 9)),
    "groups": (lambda: conv2d(W, W, K, groups=4), lambda: nn.Conv2d(12, 12, 5, 1, 2, groups=4), (2, 12, 7, 6)),
    "groups of 4": (lambda: conv2d(W, W, K, groups=BY_FOUR), lambda: nn.Conv2d(12, 12, 5, 1, 2, groups=3), (2, 12, 7, 6)),
    "depthwise": (lambda: depthwise(W, K), lambda: nn.Conv2d(12, 12, 5, 1, 2, groups=12), (2, 12, 7, 6)),
    "batch_norm, vectors": (lambda: batch_norm(W, 1), lambda: nn.BatchNorm1d(12), (4, 12)),
    "batch_norm, sequences": (lambda: batch_norm(W, 1), lambda: nn.BatchNorm1d(12), (4, 12, 3)),
    "batch_norm": (lambda: batch_norm(W), lambda: nn.BatchNorm2d(12), (4, 12, 3, 2)),
    "batch_norm, volumes": (lambda: batch_norm(W, 3), lambda: nn.BatchNorm3d(12), (4, 12, 3, 2, 2)),
    "embedding": (lambda: embedding(9, W), lambda: nn.Embedding(9, 12), (2, 5)),
    "scale": (lambda: scale(W, 1.0), lambda: scale(12, 1.0), (2, 12)),
    "shift": (lambda: shift(W), lambda: shift(12), (2, 12)),
}


@pytest.mark.parametrize("name", WIDEST)
def test_the_widest_form_takes_the_plain_layer_s_state_and_gives_its_outputs(name):
    elastic, plain, shape = WIDEST[name]
    torch.manual_seed(0)
    wide, own = elastic(), plain()
    assert isinstance(wide, type(own)), "code that looks for torch's class, to initialise weights say, finds it"
    for key in vars(own).keys() & set(nn.Conv2d.__constants__):
        assert getattr(wide, key) == getattr(own, key), key
    x = torch.randint(9, shape) if name == "embedding" else torch.randn(shape)
    with torch.no_grad():
        for parameter in own.parameters():
            parameter.uniform_(-1, 1)
    wide.load_state_dict(own.state_dict(), strict=True)
    for value in (W, K, G):
        value.slots[0].active = 2
    for training in (True, False):  # statistics of batches first, then the running ones
        assert torch.equal(wide.train(training)(x), own.train(training)(x))
    assert all(map(torch.equal, wide.state_dict().values(), own.state_dict().values()))


def test_attention_is_torch_s_multi_head_attention():
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    nn.init.normal_(theirs.in_proj_bias)
    net = opened({"width": OneOf(8, 12), "heads": OneOf(1, 2, 3)})
    ours: Any = attention(net["width"], net["heads"], head_dim=4)
    assert ours.query.weight.shape == (12, 12)
    ours.load_state_dict(
        {
            **{f"{n}.weight": w for n, w in zip(("query", "key", "value"), theirs.in_proj_weight.chunk(3), strict=True)},
            **{f"{n}.bias": b for n, b in zip(("query", "key", "value"), theirs.in_proj_bias.chunk(3), strict=True)},
            **{f"out.{n}": p for n, p in theirs.out_proj.named_parameters()},
        },
        strict=True,
    )
    net["width"].slots[0].active, net["heads"].slots[0].active = 1, 2
    x, context = torch.randn(2, 5, 12), torch.randn(2, 7, 12)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])
    torch.testing.assert_close(ours(x, context), theirs(x, context, context)[0])
    forbidden = torch.rand(5, 5).triu(1) > 0.2
    torch.testing.assert_close(ours(x, mask=~forbidden), theirs(x, x, x, attn_mask=forbidden)[0])


def test_fewer_heads_are_the_leading_heads_whole():
    """By hand: the sum over the heads' own outputs, each through its columns of the last projection."""
    torch.manual_seed(0)
    net = opened({"width": OneOf(8, 12), "heads": OneOf(1, 2, 3)})
    layer: Any = attention(net["width"], net["heads"], head_dim=4, bias=False)
    x = torch.randn(2, 5, 8)
    parts = [layer.query, layer.key, layer.value]
    for option, heads in enumerate((1, 2, 3)):
        net["heads"].slots[0].active = option
        total = torch.zeros(2, 5, 8)
        for head in range(heads):
            rows = slice(4 * head, 4 * head + 4)
            q, k, v = (x @ part.weight[rows, :8].T for part in parts)
            total += torch.softmax(q @ k.transpose(1, 2) / 2, -1) @ v @ layer.out.weight[:8, rows].T
        torch.testing.assert_close(layer(x), total)


def test_a_parameter_is_the_leading_entries_of_each_dimension():
    net = opened({"rows": OneOf(2, 4), "width": OneOf(3, 5)})
    layer: Any = parameter((net["rows"], 2, net["width"]), init=nn.init.normal_)
    assert layer.value.shape == (4, 2, 5) and isinstance(layer.value, nn.Parameter)
    for i, rows in enumerate((2, 4)):
        for j, width in enumerate((3, 5)):
            net["rows"].slots[0].active, net["width"].slots[0].active = i, j
            assert torch.equal(layer(), layer.value[:rows, :, :width])
    fixed: Any = parameter((4, 2, 5), init=lambda table: table.fill_(3))
    assert fixed.value.eq(3).all() and not type(fixed).__module__.startswith("common.supernet")
    fixed.load_state_dict(layer.state_dict(), strict=True)
    assert torch.equal(fixed(), layer.value)
    assert parameter((2,))().eq(0).all()


def test_groups_of_one_width_keep_the_channels_of_each_filter():
    """A narrow path is then the wide one without its last groups: the docstring's second form."""
    for option in range(2):
        W.slots[0].active, K.slots[0].active = option, 1
        layer = conv2d(W, W, K, groups=BY_FOUR)
        x = torch.randn(1, 12, 5, 5)
        narrow = layer(x[:, : 4 * option + 4])
        W.slots[0].active = 2
        torch.testing.assert_close(narrow, layer(x)[:, : 4 * option + 4])


def test_a_norm_of_images_takes_images_alone():
    """As torch's own: a network that runs as a supernet runs when it is extracted."""
    for dims, wrong in ((1, (2, 4, 3, 3)), (2, (2, 4, 3)), (3, (2, 4, 3, 3))):
        for layer in (batch_norm(W, dims), batch_norm(4, dims)):
            with pytest.raises(ValueError, match="expected"):
                layer(torch.randn(wrong))


def test_an_input_of_no_known_width_is_refused():
    """Where the number of groups follows from the width, as torch refuses channels that its layer was not made for."""
    for layer in (group_norm(BY_FOUR, W), conv2d(W, W, 3, groups=BY_FOUR)):
        with pytest.raises(ValueError, match="expected an input of 4 or 8 or 12 channels, got 6"):
            layer(torch.randn(1, 6, 3, 3))


SIX = opened(OneOf(4, 6), "width")
TEXT = opened(OneOf("a", "b"), "name")
REFUSED = {
    "a decision that is not opened": (
        lambda: conv2d(3, OneOf(3, 4), 3),
        r"c_out is a decision, .*; build the supernet of opened",
    ),
    "groups of a norm": (
        lambda: group_norm(4, SIX),
        r"width=6 of decision 'width' is not a multiple of groups=4; .* groups=fmap",
    ),
    "groups of a fixed norm": (lambda: group_norm(4, 6), r"^width=6 is not a multiple of groups=4"),
    "groups, inputs": (lambda: conv2d(SIX, 8, 3, groups=4), r"c_in=6 of decision 'width' is not a multiple of groups=4"),
    "groups, outputs": (lambda: conv1d(8, SIX, 3, groups=4), r"c_out=6 of decision 'width' is not a multiple of groups=4"),
    "groups, fixed": (lambda: conv3d(8, 6, 3, groups=4), r"^c_out=6 is not a multiple of groups=4"),
    "groups, fixed inputs": (lambda: conv2d(6, 8, 3, groups=4), r"^c_in=6 is not a multiple of groups=4"),
    "no groups": (lambda: conv2d(8, 8, 3, groups=0), r"groups=0: give whole numbers of 1 or more"),
    "groups of more than the width": (
        lambda: group_norm(fmap(lambda width, more: width // 2 * more, SIX, opened(OneOf(1, 2), "more")), SIX),
        "groups of decisions 'width' with 'more' are no function of width; give a number",
    ),
    "even kernel": (lambda: conv1d(3, 4, opened(OneOf(3, 4), "k")), "kernel 4 is even"),
    "name as width": (lambda: linear(3, TEXT), r"features_out='a' of decision 'name': give whole numbers"),
    "half a width": (
        lambda: layer_norm(fmap(lambda width: width / 4, SIX)),
        r"width=1.0 of decision 'width': give whole numbers",
    ),
    "no width": (lambda: batch_norm(opened(OneOf(0, 4), "width")), r"width=0 of decision 'width'"),
    "no dimensions": (lambda: batch_norm(4, 4), "dims=4; give 1 .* 2 .* or 3"),
    "open rows": (lambda: embedding(SIX, 3), r"count is open \(decision 'width'\)"),
    "open entries of a head": (lambda: attention(8, 2, SIX), r"head_dim is open \(decision 'width'\)"),
    "no heads": (lambda: attention(8, 0, 4), "heads=0: give whole numbers"),
    "no shape": (lambda: parameter(SIX), r"shape=Open.*; give a tuple with the size of each dimension"),
    "no size": (lambda: parameter((1, TEXT)), r"shape\[1\]='a' of decision 'name'"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_wrong_arguments_are_refused(mistake):
    make, says = REFUSED[mistake]
    with pytest.raises(UserError, match=says) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_with_nothing_open_layers_are_torch_s_own():
    made = [conv1d(4, 8, 3, groups=2), conv3d(4, 8, 3), layer_norm(8), group_norm(2, 8), embedding(3, 8), batch_norm(8, 1)]
    assert [type(layer) for layer in made] == [nn.Conv1d, nn.Conv3d, nn.LayerNorm, nn.GroupNorm, nn.Embedding, nn.BatchNorm1d]
    assert made[0].groups == 2
