"""`describe`: what released generators, configurations and files cost, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from common.arch import save
from common.errors import UserError
from common.space import sample
from common.streams import stream
from gan.compression.space import PUBLISHED, arch_of, open_space, parse
from gan.compression.system import SYSTEM, Describing
from tests.gan.micro import call

COUNTS = {
    "32_32_48_32_48_48_16_16": (822_051, 4_993_843_200),
    "16_16_32_16_32_32_16_16": (356_867, 2_546_204_672),
    "24_24_24_32_20_16": (341_627, 2_670_067_712),
    "16_16_24_16_32_64_16_24": (355_235, 2_640_576_512),
    "32_32_48_32_32_48_24_24": (780_819, 5_591_531_520),
    "16_24_48_56_40_48_24_16": (886_307, 5_451_284_480),
    "16_16_40_40_40_64_24_16": (719_507, 4_569_694_208),
    "48_48_48_48_48_48_48_48": (1_130_883, 10_603_462_656),
}


def describe(text: str, space: str | None) -> dict[str, Any]:
    return SYSTEM.described(Describing(arch=text, space=space))


@pytest.mark.parametrize("config", COUNTS)
def test_configurations_have_the_counts_of_the_specification(config):
    found = describe(config, None)
    assert (found["params"], found["macs"]) == COUNTS[config] and found["config"] == config


def test_the_command_prints_them(capsys):
    call(["describe", "gan-compression", "--arch", "32_32_48_32_48_48_16_16"])
    told = json.loads(capsys.readouterr().out)
    assert told["params"] == 822_051 and told["macs"] == 4_993_843_200 and told["macs_computed"] < told["macs"]


def test_both_older_forms_are_read():
    """Six widths: one hidden width for all blocks; the other builder gives it to every third block, the trunk's to the rest."""
    alike, every_third = describe("32_32_40_48_16_32", None), describe("edges2shoes_paper", None)
    assert every_third["params"] < alike["params"]
    assert round(describe("resnet_64", None)["macs"] / every_third["macs"], 1) == 11.8  # the published ratio


def test_a_file_is_read_in_the_choice_set_that_holds_it(tmp_path):
    space = open_space("channels-48")
    arch = arch_of(space, parse("48_32_40_48_32_40_24_16"))
    save(tmp_path / "arch.json", space, arch)
    found = describe(str(tmp_path / "arch.json"), None)
    assert (found["config"], found["space"]) == ("48_32_40_48_32_40_24_16", "channels-48")
    save(tmp_path / "other.json", open_space("channels-32"), sample(open_space("channels-32"), stream(0)))
    with pytest.raises(UserError):
        describe(str(tmp_path / "other.json"), "channels-48")


@pytest.mark.parametrize(
    ("text", "space", "part"),
    [
        ("shoes", None, "is no published name"),
        ("32_32", None, "is no configuration"),
        ("16_16_16_16_16_16_16_16", "channels-48", "width 16 is not one of stem's"),
        ("edges2shoes", "channels-32", "leave --space out"),
        ("mobile_64", "channels-48", "of space none with a name, not channels-48"),
        ("edges2shoes", "large", "space 'large' does not exist"),
        ("missing.json", None, "missing.json"),
        (".", None, "is a folder"),
    ],
)
def test_what_describes_nothing(text, space, part):
    with pytest.raises(UserError, match=part):
        describe(text, space)


def test_every_released_name_is_described():
    for name, entry in PUBLISHED.items():
        found = describe(name, None)
        assert entry.params in (None, found["params"]) and entry.macs in (None, found["macs"])
        assert found["space"] == entry.space


def test_a_configuration_of_the_older_builder_is_told():
    old, new = "32_32_40_48_16_32", "edges2shoes_paper"
    counts = {arch: SYSTEM.described(SYSTEM.describing(arch=arch)) for arch in (old, new, "edges2shoes")}
    assert counts[old]["params"] != counts[new]["params"]
    assert f"--arch {new} gives the published one" in counts[old]["hint"] and f"published as {old}" in counts[new]["hint"]
    assert "hint" not in counts["edges2shoes"]
