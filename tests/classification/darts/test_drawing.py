"""The picture of cells: complete, and what the report makes of it."""

from xml.etree import ElementTree

import pytest

from classification.cells.drawing import DASHES, draw_cells
from classification.cells.genotypes import published
from classification.cells.space import cells_of, standalone
from common.run.report.drawing import sanitise

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["DARTS_V2", "SNAS_aggressive", "FairDARTS_a", "NASNet"])
def test_every_edge_is_an_arc_with_its_name(name):
    genotype = published()[name]
    root = ElementTree.fromstring(draw_cells(cells_of(standalone(genotype))))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    edges = [edge for cell in (genotype.normal, genotype.reduction) for node in cell.nodes for edge in node.edges]
    arcs = list(root.iter(f"{SVG}path"))
    assert len(arcs) == len(edges)
    for op in {edge.op for edge in edges}:
        assert texts.count(op) == sum(edge.op == op for edge in edges)
    assert sum("stroke-dasharray" in arc.attrib for arc in arcs) == sum(edge.op in DASHES for edge in edges)
    width = float(root.attrib["width"])
    assert all(0 < float(text.attrib["x"]) < width for text in root.iter(f"{SVG}text"))


def test_labels_of_a_cell_of_two_inputs_do_not_meet():
    """Arcs of a span lie at one height and a node apart; others at another height."""
    root = ElementTree.fromstring(draw_cells(cells_of(standalone(published()["DARTS_V2"]))))
    normal = next(iter(root.iter(f"{SVG}g")))
    names = {edge.op for node in published()["DARTS_V2"].normal.nodes for edge in node.edges}
    places = [(float(t.attrib["x"]), float(t.attrib["y"])) for t in normal.iter(f"{SVG}text") if t.text in names]
    assert len(places) == 8
    for i, (x, y) in enumerate(places):
        assert all(abs(x - u) >= 100 or abs(y - v) >= 14 for u, v in places[:i])


def test_the_report_takes_it_as_it_is():
    shown = sanitise(draw_cells(cells_of(standalone(published()["DARTS_V1"]))))
    assert shown is not None and shown.count("<path") == 16 and "sep_conv_3x3" in shown and "stroke-dasharray" in shown
