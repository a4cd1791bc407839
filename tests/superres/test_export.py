"""The exported network and its script against the network in torch, and what a run remembers of its data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from superres.export import export, waves
from superres.facts import SuperResFacts
from tests.superres.standin import Small

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    parity = SuperResFacts(scale=3, patch=48).export(Small(3), folder)
    assert parity.dynamic_batch and parity.max_abs_diff <= 1e-4 * parity.scale and parity.scale > 100
    return folder


def test_the_file_takes_pictures_of_any_size(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(exported / "model.onnx"), providers=["CPUExecutionProvider"])
    for n, height, width in ((1, 1, 1), (3, 7, 50)):
        x = waves(n, height, width)
        got = np.asarray(session.run(None, {"input0": x.numpy()})[0])
        with torch.no_grad():
            expected = Small(3)(x).numpy()
        assert got.shape == (n, 3, 3 * height, 3 * width) and np.abs(got - expected).max() < 0.01


@pytest.mark.parametrize(("mode", "size"), [("RGB", (300, 20)), ("LA", (5, 9)), ("P", (8, 8)), ("I;16", (6, 7))])
def test_the_script_upscales_as_the_facts_do(exported, tmp_path, mode, size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
    else:
        image = Image.fromarray(pixels).convert("RGB").quantize(16) if mode == "P" else Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / "x.png")
    done = subprocess.run(
        [sys.executable, exported / "use.py", "x.png"], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=100
    )
    assert done.returncode == 0 and json.loads(done.stdout) == {"image": "x.png", "picture": "x-x3.png"}, done.stderr
    facts = SuperResFacts(scale=3, patch=48)
    (row,) = facts.predict(Small(3).eval(), [tmp_path / "x.png"], tmp_path)
    assert row["picture"] == str(tmp_path / "x-upscaled.png") and row["size"] == [3 * size[0], 3 * size[1]]
    assert ("converted" in row) == (mode in ("P", "I;16"))
    with Image.open(tmp_path / "x-x3.png") as theirs, Image.open(row["picture"]) as ours:
        assert theirs.mode == ours.mode and theirs.size == ours.size == (3 * size[0], 3 * size[1])
        assert np.abs(np.asarray(theirs).astype(int) - np.asarray(ours).astype(int)).max() <= 1


def test_the_script_says_what_it_cannot_use(exported, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    script = [sys.executable, exported / "use.py", "broken.png"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=100)
    assert done.returncode == 1 and done.stderr == "broken.png: not an image\n"


def test_a_network_of_one_size_is_not_exported(tmp_path):
    class OneSize(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            height = 24 if torch.compiler.is_exporting() else x.shape[2]
            return self.weight * x.reshape(-1, 3, height, x.shape[3]).repeat_interleave(2, 2).repeat_interleave(2, 3)

    with pytest.raises(UserError, match="cannot be exported for inputs of any size"):
        export(OneSize(), 2, 24, tmp_path)


def test_facts():
    facts = SuperResFacts(scale=4, patch=96)
    (x,) = facts.example()
    assert x.shape == (1, 3, 24, 24) and facts.OF_SETTINGS == {"scale": "scale", "patch": "patch"}
    with pytest.raises(UserError, match=r"none\.png: missing; give an image file"):
        facts.read(Path("none.png"))
