"""The figures at the head of a report that a system adds, and the room that its pictures get."""

import json
import re

import pytest
from PIL import Image

from common.run.report import write_report
from common.run.report.load import read_run
from common.run.report.page import page
from tests.common.run.report.make_run import CONFIG

TILES = [
    {"value": "9.6x", "name": "fewer MACs", "of": "than the teacher's 56,832,000,000"},
    {"value": 4.5, "name": "times as quick", "of": "<b>on a CPU</b>"},
]


@pytest.fixture
def folder(tmp_path):
    """A run of which little but its pictures is known."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "samples").mkdir()
    for i in range(3):
        Image.new("RGB", (64, 64), (90 * i, 0, 0)).save(tmp_path / "samples" / f"{i}.png")
    captions = [{"file": f"{i}.png", "caption": f"Scene {i}"} for i in range(3)]
    (tmp_path / "samples" / "samples.json").write_text(json.dumps(captions))
    return tmp_path


def names(path):
    return [name for _, _, name, _ in page(read_run(path)).tiles]


def test_tiles_of_a_system_come_before_the_time(folder):
    before = names(folder)
    assert before[-1] == "in all" and read_run(folder).tiles == ()
    (folder / "tiles.json").write_text(json.dumps(TILES))
    assert names(folder) == [*before[:-1], "fewer MACs", "times as quick", "in all"]
    html = write_report(folder).read_text()
    assert "<div><b>9.6x</b><span>fewer MACs</span><small>than the teacher&#39;s 56,832,000,000</small></div>" in html
    assert "<div><b>4.5</b><span>times as quick</span><small>&lt;b&gt;on a CPU&lt;/b&gt;</small></div>" in html


@pytest.mark.parametrize("content", [b"", b"{", b"[{", b"\xff\xfe\x00", b"[" + json.dumps(TILES[0]).encode()])
def test_tiles_that_cannot_be_read_are_left_out_and_told(content, folder):
    before = names(folder)
    (folder / "tiles.json").write_bytes(content)
    assert names(folder) == before
    assert "tiles.json: not readable as JSON, left out" in write_report(folder).read_text()


@pytest.mark.parametrize("content", ["null", "3", "{}", '"text"', "[]", "[3, null, [], true]", json.dumps(TILES[0])])
def test_what_are_no_tiles_is_left_out(content, folder):
    before = names(folder)
    (folder / "tiles.json").write_text(content)
    assert names(folder) == before and write_report(folder).stat().st_size > 5000


def test_odd_rows_among_tiles_break_nothing(folder):
    (folder / "tiles.json").write_text(json.dumps([7, {"name": "odd", "value": [1, {"a": None}]}, TILES[0], {"extra": "\ud800"}]))
    assert names(folder)[-3:-1] == ["odd", "fewer MACs"]
    assert "<b>9.6x</b>" in write_report(folder).read_text()


@pytest.mark.parametrize(
    ("size", "wide"), [((400, 100), True), ((201, 100), True), ((200, 100), False), ((64, 64), False), ((100, 400), False)]
)
def test_a_strip_of_pictures_is_shown_wide_and_others_are_not(size, wide, folder):
    Image.new("RGB", size).save(folder / "samples" / "1.png")
    figures = re.findall(r"<figure([^>]*)><img[^>]*><figcaption>([^<]*)<", write_report(folder).read_text())
    assert {caption: ' class="wide"' in attributes for attributes, caption in figures} == {
        "Scene 0": False,
        "Scene 1": wide,
        "Scene 2": False,
    }


@pytest.mark.parametrize("length", [0, 4, 16, 18, 24])
def test_a_picture_that_ends_in_its_header_stops_no_report(length, folder):
    file = folder / "samples" / "1.png"
    file.write_bytes(file.read_bytes()[:length])
    html = write_report(folder).read_text()
    assert html.count("<figcaption>Scene") == 3 and 'class="wide"' not in html
