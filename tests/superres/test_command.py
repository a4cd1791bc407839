"""The command `upscale` on a stand-in of a run: its options, what it prints, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from common.script import main
from common.stages import reload as reloading
from superres import command, fast
from superres.command import upscale
from superres.facts import SuperResFacts
from tests.common.refusing import refused
from tests.superres.standin import Enlarge, Small


def call(argv) -> None:
    main("python -m superres.train", {"upscale": upscale, "other": lambda: None}, argv)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A folder that counts as a finished run of scale 2."""
    facts = SuperResFacts(scale=2, patch=48)
    monkeypatch.setattr(command, "check_finished", lambda run: None)
    monkeypatch.setattr(reloading, "reload", lambda run: SimpleNamespace(facts=facts, source=None))
    monkeypatch.setattr(reloading, "best", lambda run, reloaded: Small().eval())
    monkeypatch.setattr(fast, "keep_memory", lambda: None)  # of the whole process
    return tmp_path / "run"


def picture(path: Path, size: tuple[int, int] = (40, 37), mode: str = "RGB") -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    image.save(path)
    return np.asarray(image)


def test_a_picture_and_its_progress(run, tmp_path, capsys):
    picture(tmp_path / "in.png")
    call(["upscale", str(run), str(tmp_path / "in.png"), str(tmp_path / "new" / "out.png"), "--tile", "32", "--scale", "2"])
    out, error = capsys.readouterr()
    made = str(tmp_path / "new" / "out.png")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"image": str(tmp_path / "in.png"), "picture": made, "size": [80, 74]}
    ]
    assert "[1/1] in.png: started" in error and "4/4" in error  # tiles
    with Image.open(made) as image:
        assert image.size == (80, 74)


def test_the_ensemble_gives_another_picture(run, tmp_path, capsys):
    picture(tmp_path / "in.png")
    for name, words in (("one.png", []), ("eight.png", ["--ensemble"])):
        call(["upscale", str(run), str(tmp_path / "in.png"), str(tmp_path / name), *words])
    assert "8/8" in capsys.readouterr().err
    one, eight = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("one.png", "eight.png"))
    assert one.shape == eight.shape and 0 < np.abs(one - eight).mean() < 20


def test_a_compiled_network(run, tmp_path, capsys, monkeypatch):
    picture(tmp_path / "in.png")
    given: list[object] = []
    monkeypatch.setattr(fast, "compiled", lambda network: given.append(network) or network)
    monkeypatch.setenv("CXX", sys.executable)
    words = ["upscale", str(run), str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--compile"]
    call(words)
    assert len(given) == 1 and "compiling the network" in capsys.readouterr().err
    monkeypatch.setenv("CXX", "no-compiler")
    refused(call, words, ("--compile needs a C++ compiler", "leave --compile out"), capsys)
    assert len(given) == 1


def test_a_folder(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reloading, "best", lambda run, reloaded: Enlarge())
    source = tmp_path / "in"
    source.mkdir()
    pixels = {name: picture(source / name, (5, 4), mode) for name, mode in (("a.png", "RGB"), ("b.png", "L"))}
    call(["upscale", str(run), str(source), str(tmp_path / "out")])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(row["picture"]).name for row in told] == ["a-x2.png", "b-x2.png"]
    for row, (name, true) in zip(told, pixels.items(), strict=True):
        with Image.open(row["picture"]) as made:
            assert np.array_equal(np.asarray(made), true.repeat(2, 0).repeat(2, 1)), name


def test_what_is_refused_before_anything_is_written(run, tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    picture(source / "a.png", mode="RGBA")
    (source / "b.png").write_bytes(b"\x89PNG")
    one, out = str(source / "a.png"), str(tmp_path / "out")
    for words, parts in (
        ([one, out, "--scale", "3"], ("--scale 3", "was trained for scale 2; give --scale 2")),
        ([one, out, "--tile", "31"], ("--tile 31", "--tile 32")),
        ([one, f"{out}.jpg"], ("out.jpg: .jpg files do not keep the alpha channel", "a.png")),
        ([one, f"{out}.gif"], ("out.gif: pictures are not written as .gif",)),
        ([str(source), out], ("b.png: not an image",)),
        ([one, one], ("is the picture that is upscaled",)),
        ([str(tmp_path / "nowhere"), out], ("nowhere: no such file or folder",)),
    ):
        refused(call, ["upscale", str(run), *words], parts, capsys)
    assert not Path(out).exists() and sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_runs_that_cannot_be_used(run, tmp_path, capsys, monkeypatch):
    picture(tmp_path / "in.png")
    words = ["upscale", str(run), str(tmp_path / "in.png"), str(tmp_path / "out.png")]
    monkeypatch.setattr(reloading, "reload", lambda run: SimpleNamespace(facts=object(), source=None))
    refused(call, words, ("is a run of another task",), capsys)
    monkeypatch.undo()
    refused(call, words, ("is no run folder", "config.json"), capsys)


def test_what_is_wrong_with_a_folder_is_told_at_once_and_what_is_left_out(run, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    picture(folder / "good.png")
    (folder / "notes.txt").write_text("no picture")
    call(["upscale", str(run), str(folder), str(tmp_path / "out")])
    assert "note: left out: notes.txt" in capsys.readouterr().err
    for name in ("one.png", "two.png"):
        (folder / name).write_bytes(b"no picture")
    argv = ["upscale", str(run), str(folder), str(tmp_path / "other")]
    refused(call, argv, ("2 problems", "one.png", "two.png", "remove the files named from the folder"), capsys)
    assert not (tmp_path / "other").exists()
