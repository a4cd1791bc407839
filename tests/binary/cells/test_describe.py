"""`describe bnas-kim`: published counts, genotypes, files, and what is refused."""

from __future__ import annotations

import json

import pytest

from binary.cells.found import SIZES, published_network
from binary.cells.model import build
from binary.cells.names import read_network
from binary.systems import SYSTEMS
from binary.train import MORE
from classification.cells.genotypes import to_text
from classification.cells.space import genotype_of
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


def test_every_size_has_its_width_cells_and_images():
    for name, size in SIZES.items():
        network, side = read_network(name, None, None)
        assert (network.width, network.cells, side) == (size.width, size.cells, 32 if name == "A" else 224)


@pytest.mark.parametrize(("op", "form", "own"), [
    ("bin_conv_3x3", None, "kim"), ("sep_conv_3x3", "separable", "separable"), ("sep_conv_3x3", "grouped", "grouped"),
    ("max_pool_3x3", "kim", "kim"),
])  # fmt: skip
def test_a_genotype_has_the_layers_of_its_operations_or_those_that_are_given(op, form, own):
    network, _ = read_network(GENOTYPE.format(op=op), form, None)
    assert (network.form, network.width, network.cells) == (own, 36, 20)


@pytest.mark.parametrize(("op", "form", "said"), [
    ("bin_conv_3x3", "grouped", "'bin_conv_3x3' does not exist"),
    ("sep_conv_3x3", "kim", "'sep_conv_3x3' does not exist"),
    ("conv", "kim", "'conv' does not exist"),
    ("sep_conv_3x3", None, "give --form separable"),
])  # fmt: skip
def test_a_genotype_of_another_space_is_refused(op, form, said):
    with pytest.raises(UserError, match=said):
        read_network(GENOTYPE.format(op=op), form, None)


def test_a_node_without_inputs_is_refused():
    text = (
        "Genotype(normal=[('bin_conv_3x3', 2, 0), ('bin_conv_3x3', 4, 1)], normal_concat=[2, 3, 4], "
        "reduce=[('bin_conv_3x3', 2, 0)], reduce_concat=[2])"
    )
    with pytest.raises(UserError, match="normal: node 3 has no inputs"):
        read_network(text, None, None)


def test_a_last_node_without_inputs_is_refused_too():
    text = GENOTYPE.format(op="bin_conv_3x3").replace("range(2, 4), reduce", "range(2, 6), reduce")
    with pytest.raises(UserError, match="normal: node 4 has no inputs"):
        read_network(text, None, None)


def test_cells_whose_outputs_cannot_be_added_up_are_refused():
    text = GENOTYPE.format(op="bin_conv_3x3").replace("reduce_concat=range(2, 4)", "reduce_concat=[3]")
    with pytest.raises(UserError, match="the normal cell joins 2 nodes and the reduction cell 1"):
        build(read_network(text, None, None)[0])


@pytest.mark.parametrize(("text", "form", "skeleton", "said"), [
    ("B", None, None, "'B' is no published name"),
    ("no/such.json", "kim", None, "no/such.json"),
    ("no/such.json", None, None, "give --form"),
    ("A", "kim", None, "--form kim: A is a published network"),
    ("A", None, "cifar", "--skeleton cifar: A is a published network"),
])  # fmt: skip
def test_other_texts_and_options_that_are_not_read_are_refused(text, form, skeleton, said):
    with pytest.raises(UserError, match=said):
        read_network(text, form, skeleton)


def test_the_published_cells_are_those_of_the_released_code():
    """BNAS's `latest_cell_zeroise`, edges of a node by their sources."""
    assert to_text(genotype_of(published_network("A"))) == (
        "Genotype(normal=[('bin_dil_conv_3x3', 0), ('none', 1), ('bin_conv_3x3', 1), ('none', 2), ('none', 2), ('none', 3), "
        "('none', 3), ('none', 4)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('none', 1), ('max_pool_3x3', 0), "
        "('none', 2), ('none', 2), ('none', 3), ('none', 3), ('none', 4)], reduce_concat=[2, 3, 4, 5])"
    )
