"""Descriptions, choice sets and configurations."""

from __future__ import annotations

import pytest

from common.errors import UserError
from common.space import decisions, decode, size
from gan.compression.space import (
    CHOICES,
    PUBLISHED,
    Generator,
    arch_of,
    choices,
    open_space,
    parse,
    settled,
    uniform,
    written,
)


@pytest.mark.parametrize(
    ("name", "count"),
    [("channels-48", 5_184), ("channels-32", 6_561), ("channels-64-cycleGAN", 390_625), ("channels-64-pix2pix", 5_764_801)],
)
def test_the_choice_sets_have_their_published_sizes(name, count):
    assert size(open_space(name), 10**8) == count


def test_options_go_from_large_to_small_as_in_the_official_code():
    for name in CHOICES:
        for options in choices(name).positions():
            assert list(options) == sorted(options, reverse=True)
        assert len(decisions(open_space(name))) == 8


def test_the_widths_of_uniform_generators_are_those_that_every_position_has():
    assert choices("channels-48").widths() == [48, 32]
    assert choices("channels-32").widths() == [32, 24, 16]


def test_a_configuration_is_read_and_written():
    text = "32_32_48_32_48_40_16_24"
    net = settled(parse(text))
    assert net == Generator(stem=32, down=32, trunk=48, hidden=(32, 48, 40), up=(16, 24))
    assert written(net) == text
    space = open_space("channels-48")
    assert decode(space, arch_of(space, parse(text))) == net
    assert settled(parse("24_24_24_32_20_16")) == Generator(stem=24, down=24, trunk=24, hidden=(32,), up=(20, 16))


@pytest.mark.parametrize("text", ["", "32", "32_32_48", "32_32_48_32_48_48_16_0", "a_b_c_d_e_f_g_h", "32-32-48-32-48-48-16-16"])
def test_what_is_no_configuration(text):
    with pytest.raises(UserError, match="is no configuration; write eight base widths"):
        parse(text)


def test_widths_that_a_space_does_not_have():
    space = open_space("channels-48")
    with pytest.raises(UserError, match="width 16 is not one of stem's, 48, 32"):
        arch_of(space, parse("16_32_48_32_48_48_16_16"))
    with pytest.raises(UserError, match="6 widths for a space of 8 positions"):
        arch_of(space, parse("32_32_48_32_16_16"))
    with pytest.raises(UserError, match="9 blocks with 2 hidden widths"):
        Generator(stem=8, down=8, trunk=8, hidden=(8, 8), up=(8, 8))
    with pytest.raises(UserError, match="space 'x' does not exist"):
        open_space("x")


def test_every_released_generator_is_one_of_its_space():
    for name, entry in PUBLISHED.items():
        space, arch = entry.open()
        net = decode(space, arch)
        assert written(net) == entry.config, name
        assert net.mobile == (name != "resnet_64")
    assert decode(*PUBLISHED["mobile_48"].open()) == uniform(48)
