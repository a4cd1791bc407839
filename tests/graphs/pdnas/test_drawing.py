"""The picture of a found network: what stands in it, and which outputs are joined to which blocks."""

from xml.etree import ElementTree

from common.run.report.drawing import sanitise
from common.space import sample
from common.streams import stream
from graphs.pdnas.drawing import draw
from graphs.pdnas.space import Block, Message, Network, Personalised, arch_of, pdnas_space

SVG = "{http://www.w3.org/2000/svg}"


def drawn(net: Network) -> tuple[list[str], int]:
    """Texts, and how many connections there are."""
    space = pdnas_space(net.features, net.classes, len(net.blocks), extended=True)
    root = ElementTree.fromstring(draw(space, arch_of(space, net)))
    return [text.text for text in root.iter(f"{SVG}text")], len(list(root.iter(f"{SVG}path")))


def test_every_choice_is_shown():
    blocks = (
        Block(32, 4, Message("gene-linear", "max"), "relu6"),
        Block(128, 2, None, "tanh", (True,), root=True),
        Block(7, 16, Personalised("cos"), "none", (True, False)),
    )
    texts, edges = drawn(Network(1433, 7, blocks))
    for text in ("1433", "32", "4", "gene-linear", "max", "relu6", "128", "2", "yes", "tanh", "16", "cos", "ten hops", "none"):
        assert text in texts, text
    assert "7 each" in texts and {"block 1", "block 2", "scores"} <= set(texts) and texts.count("yes") == 1
    assert edges == 3 + 2, "each block's own input, and two shortcuts"


def test_reports_take_it_as_it_is():
    space = pdnas_space(6, 3, 8)
    svg = draw(space, sample(space, stream(0, "drawing")))
    assert sanitise(svg) is not None and svg.count("<rect") == 1 + 8 * 6
