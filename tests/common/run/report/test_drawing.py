"""Drawings of architectures from the paths of their decisions."""

import re
from pathlib import Path

from common.run.report import drawing
from common.run.report.drawing import COLOURS, draw


def laid_out(arch, decisions=None):
    drawn = draw(arch, decisions if decisions is not None else {path: [label] for path, label in arch.items()})
    return [(part.name, [(block.place, block.text) for block in part.blocks]) for part in drawn.parts]


def test_colours_follow_the_order_of_the_options():
    decisions = {"blocks.0": ["b", "a"], "blocks.1": ["b", "a"]}
    assert draw({"blocks.0": "a", "blocks.1": "b"}, decisions).legend == (("a", 1), ("b", 0))
    assert draw({"blocks.0": "a", "blocks.1": "a"}, decisions).legend == (("a", 1),)
    many = [f"{i:02}" for i in range(COLOURS + 2)]
    assert draw({"blocks.0": many[-1]}, {"blocks.0": many}).legend == ((many[-1], 1),), "colours are shared"
    assert draw({"blocks.0": "z", "blocks.1": "y"}, {}).legend == (("y", 0), ("z", 1)), "options nobody knows: by their names"


def test_blocks_have_the_colours_of_the_legend_and_what_has_no_number_has_none():
    decisions = {"blocks.0": ["b", "a"], "blocks.1": ["b", "a"], "depth": ["1", "2"]}
    drawn = draw({"blocks.0": "a", "blocks.1": "b", "depth": "2"}, decisions)
    assert [block.colour for part in drawn.parts for block in part.blocks] == [1, 0, None]


def test_the_template_has_as_many_colours():
    template = (Path(drawing.__file__).parent / "template.html").read_text()
    assert {int(number) for number in re.findall(r"--block-(\d+):", template)} == set(range(COLOURS))


def test_options_in_brackets_are_no_places():
    assert laid_out({"cells.0.op": "conv", "cells.0.op[conv].kernel": "3", "cells.1.op": "pool"}) == [
        ("cells", [("0", "op conv · op kernel 3"), ("1", "pool")])
    ]
    assert laid_out({"kind[a.1[b.2].c].k": "3"}) == [("kind", [("k", "3")])], "brackets in brackets"
    assert laid_out({"a].b": "x"}) == [("a", [("b", "x")])] and laid_out({"": "x"}) == [("network", [("", "x")])]


def test_the_last_number_names_the_block_and_one_before_it_the_part():
    assert laid_out({"stages.0.blocks.1.kernel": "3", "stages.0.blocks.1.ratio": "6", "stages.0.depth": "2"}) == [
        ("stages 0", [("1", "kernel 3 · ratio 6"), ("depth", "2")])
    ]
    assert laid_out({"0": "x", "1": "y"}) == [("network", [("0", "x"), ("1", "y")])]
    assert laid_out({"stem.width": "8", "depth": "2"}) == [("stem", [("width", "8")]), ("network", [("depth", "2")])]
    assert laid_out({"blocks.10": "x", "blocks.9": "y"}, {}) == [("blocks", [("9", "y"), ("10", "x")])]
