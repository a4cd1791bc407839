"""`describe bnas-kim`: published counts, genotypes, files, and what is refused."""

from __future__ import annotations

import json

import pytest

from binary.cells.found import SIZES
from binary.cells.names import read_network
from binary.systems import SYSTEMS
from binary.train import MORE
from common.commands import run_commands
from common.errors import UserError

GENOTYPE = (
    "Genotype(normal=[('{op}', 0), ('none', 1), ('{op}', 1), ('none', 2)], normal_concat=range(2, 4), "
    "reduce=[('{op}', 0), ('none', 1), ('{op}', 1), ('none', 2)], reduce_concat=range(2, 4))"
)


def test_the_counts_of_bnas_a_are_those_of_the_released_log(capsys):
    run_commands("python -m binary.train", SYSTEMS, ["describe", "bnas-kim", "--arch", "A"], MORE)
    told = json.loads(capsys.readouterr().out)
    assert (told["params"], told["bops"], told["macs"]) == (5_578_252, 696_729_600, 87_926_400)
    assert told["ops"] == told["macs"] + told["bops"] // 64
    assert "('bin_dil_conv_3x3', 0)" in told["genotype"]


def test_every_size_is_a_network():
    for name, size in SIZES.items():
        network, side = read_network(name, None, None)
        assert (network.width, network.cells, side) == (size.width, size.cells, 32 if name == "A" else 224)


@pytest.mark.parametrize(("op", "form", "own"), [
    ("bin_conv_3x3", None, "kim"), ("sep_conv_3x3", None, "separable"), ("sep_conv_3x3", "grouped", "grouped"),
])  # fmt: skip
def test_a_genotype_has_the_layers_of_its_operations_or_those_that_are_given(op, form, own):
    network, _ = read_network(GENOTYPE.format(op=op), form, None)
    assert (network.form, network.width, network.cells) == (own, 36, 20)


@pytest.mark.parametrize(("op", "form", "said"), [
    ("bin_conv_3x3", "grouped", "'bin_conv_3x3' does not exist"),
    ("sep_conv_3x3", "kim", "'sep_conv_3x3' does not exist"),
    ("conv", None, "'conv' does not exist"),
])  # fmt: skip
def test_a_genotype_of_another_space_is_refused(op, form, said):
    with pytest.raises(UserError, match=said):
        read_network(GENOTYPE.format(op=op), form, None)


def test_a_node_without_inputs_is_refused():
    text = (
        "Genotype(normal=[('bin_conv_3x3', 2, 0), ('bin_conv_3x3', 4, 1)], normal_concat=[2, 3, 4], "
        "reduce=[('bin_conv_3x3', 2, 0)], reduce_concat=[2])"
    )
    with pytest.raises(UserError, match="node 3 of the normal cell has no inputs"):
        read_network(text, None, None)


@pytest.mark.parametrize("text", ["B", "no/such.json"])
def test_other_texts_are_refused(text):
    with pytest.raises(UserError):
        read_network(text, None, None)
