"""The spaces of DetNAS, and gene strings."""

import pytest

from common.errors import UserError
from common.space import decisions, decode, size
from detection.detnas.space import (
    KINDS,
    PUBLISHED,
    SIZES,
    arch_of_genes,
    backbone,
    classifier,
    genes_of,
    parse_genes,
    published_classifier,
    space_for,
    uniform_arch,
)


@pytest.mark.parametrize(("name", "genes"), [("tiny", 8), ("300M", 20), ("1.3G", 40), ("3.8G", 40)])
def test_spaces_have_four_options_a_block(name, genes):
    assert size(classifier(name)) == size(backbone(name)) == 4**genes
    assert all(decision.options == KINDS for decision in decisions(backbone(name)).values())


@pytest.mark.parametrize(
    ("name", "stem", "widths", "repeats", "last"),
    [
        ("300M", 16, (64, 160, 320, 640), (4, 4, 8, 4), 1024),
        ("1.3G", 48, (96, 240, 480, 960), (8, 8, 16, 8), 1024),
        ("3.8G", 72, (172, 432, 864, 1728), (8, 8, 16, 8), 1728),
    ],
)
def test_sizes_are_those_of_the_paper(name, stem, widths, repeats, last):
    net = classifier(name)
    assert net.backbone.stem == stem
    assert tuple(stage.width for stage in net.backbone.stages) == widths
    assert tuple(len(stage.blocks) for stage in net.backbone.stages) == repeats
    assert (net.last, net.classes) == (last, 1000)


@pytest.mark.parametrize("text", ["2 1 | 2 0", "2,1,2,0", "(2, 1, 2, 0)", "[2 1][2 0]", "  2 1 2\t0 "])
def test_gene_strings_may_be_punctuated(text):
    assert parse_genes(text) == (2, 1, 2, 0)


@pytest.mark.parametrize("text", ["", "|", "2 x", "-1 2", "1.5", "2120"])
def test_what_is_no_gene_string_is_refused(text):
    with pytest.raises(UserError, match="is no gene string; write one gene of 0 1 2 3 a block"):
        parse_genes(text)


def test_genes_are_blocks_in_depth_order():
    space = backbone("tiny")
    genes = (0, 1, 2, 3, 3, 2, 1, 0)
    arch = arch_of_genes(space, genes)
    settled = decode(space, arch)
    assert [kind for stage in settled.stages for kind in stage.blocks] == [KINDS[gene] for gene in genes]
    assert genes_of(arch) == genes


def test_genes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="7 genes for a space of 8 blocks"):
        arch_of_genes(backbone("tiny"), [0] * 7)
    with pytest.raises(UserError, match="gene 7: a block is one of 0 1 2 3"):
        arch_of_genes(backbone("tiny"), [0] * 7 + [7])


def test_a_gene_string_tells_its_space_by_its_length():
    assert [space_for(n) for n in (8, 20)] == ["tiny", "300M"]
    with pytest.raises(UserError, match=r"spaces 1.3G and 3.8G have 40 blocks; name one: --space 1.3G"):
        space_for(40)
    with pytest.raises(UserError, match=r"no space has 19 blocks .*300M 20.*--space"):
        space_for(19)


def test_unknown_sizes_are_refused():
    with pytest.raises(UserError, match=r"space '2G' does not exist; choose one of tiny, tiny-scaled, tiny-mobile, 300M"):
        classifier("2G")


def test_published_architectures_are_the_ones_in_print():
    official = {"COCO_FPN_300M", "COCO_RetinaNet_300M", "VOC_FPN_300M", "VOC_RetinaNet_300M", "COCO_FPN_1.3G", "COCO_FPN_3.8G"}
    assert official <= PUBLISHED.keys()
    for name, entry in PUBLISHED.items():
        space, arch = published_classifier(name)
        assert genes_of(arch) == parse_genes(entry.genes)
        assert len(decode(space, arch).backbone.stages) == 4
        assert SIZES[entry.space].genes == len(arch)
    assert genes_of(published_classifier("VOC_RetinaNet_300M")[1]) == (1, 3, 0, 0, 2, 3, 3, 3, 2, 3, 3, 3, 3, 2, 2, 0, 2, 3, 1, 1)
    assert published_classifier("COCO_FPN_3.8G_last1024")[0].last == 1024


def test_baselines_have_one_kind_of_block():
    assert genes_of(uniform_arch(backbone("tiny"), 2)) == (2,) * 8
    assert set(genes_of(published_classifier("ShuffleNetV2_40")[1])) == {0}
