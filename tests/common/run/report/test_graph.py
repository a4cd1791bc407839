"""Graphs as SVG: what is there, and that the report takes it as it is."""

from xml.etree import ElementTree

from common.run.report.drawing import sanitise
from common.run.report.graph import Node, graph_svg

NODES = [
    Node(name="in", column=0, row=0, text="a < b"),
    Node(name="far", column=2, row=0, text="conv", colour=3),
    Node(name="low", column=1, row=1, text="pool", colour=11),
    Node(name="dead", column=1, row=0, text="", live=False),
]
SVG = graph_svg(NODES, [("in", "low"), ("in", "far")], ["", "one", "two"], ["fine", "coarse"], "Two of three")


def of_kind(kind: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(SVG).iter() if element.tag.endswith(kind)]


def test_every_node_and_edge_is_drawn():
    assert len(of_kind("rect")) == 4 and len(of_kind("path")) == 2
    assert {text.text for text in of_kind("text")} >= {"a < b", "conv", "pool", "one", "two", "fine", "coarse"}
    fills = [rect.get("style") for rect in of_kind("rect")]
    assert fills == ["fill: none", "fill: var(--block-3, #dcdfe6)", "fill: var(--block-1, #dcdfe6)", "fill: none"]
    assert of_kind("rect")[3].get("stroke-dasharray") and of_kind("title")[0].text == "Two of three"


def test_nothing_leaves_the_picture_and_edges_do_not_run_through_nodes():
    root = ElementTree.fromstring(SVG)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for rect in of_kind("rect"):
        x, y, w, h = (float(rect.get(side, "")) for side in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height
    low, far = (path.get("d", "").replace("M", "").replace("C", "").split() for path in of_kind("path"))
    assert low[1] == low[3] and low[5] == low[7]  # between rows: straight out of one node and into the other
    middle = (float(far[1]) + 3 * float(far[3]) + 3 * float(far[5]) + float(far[7])) / 8
    assert 0 < middle < float(of_kind("rect")[3].get("y", ""))  # above the node between them


def test_an_edge_goes_from_the_right_side_of_one_node_to_the_left_of_the_other():
    root = ElementTree.fromstring(graph_svg(NODES, [("low", "far")], [], [], ""))
    boxes = [element for element in root.iter() if element.tag.endswith("rect")]
    (path,) = (element.get("d", "").split() for element in root.iter() if element.tag.endswith("path"))
    far, low = ({side: float(box.get(side, "")) for side in ("x", "y", "width", "height")} for box in boxes[1:3])
    assert [float(number) for number in (path[1], path[2])] == [low["x"] + low["width"], low["y"] + low["height"] / 2]
    assert [float(number) for number in path[-2:]] == [far["x"], far["y"] + far["height"] / 2]


def test_the_report_takes_it():
    clean = sanitise(SVG)
    assert clean is not None and 'style="width: 100%; max-width: min(100%, ' in clean, "no larger than it was drawn"
    assert clean is not None and "var(--block-3, #dcdfe6)" in clean and clean.count("<path") == 2
