"""One flipped bit in a file of weights is noticed wherever weights are read."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.run.checkpoint import load_weights, save_weights
from common.run.digests import damaged_weights, digest_file, read_with_digest, write_with_digest
from common.run.files import read_json
from common.run.folder import RunFolder
from common.run.report import compare, write_report
from common.space import OneOf
from tests.common.run.killing import flip
from tests.common.run.report.make_run import make_run

ROOT = Path(__file__).parents[3]
SPACE = {"kernel": OneOf(3, 5)}


def kept(run):
    """A file of weights in each folder of a run that has some."""
    files = [
        run / "weights" / "supernet.safetensors",
        run / "retrained" / "searched-0.safetensors",
        run / "best" / "model.safetensors",
    ]
    for file in files:
        file.parent.mkdir(exist_ok=True, parents=True)
        save_weights(file, nn.Linear(3, 2))
    return files


def test_the_digest_lies_beside_the_weights_and_a_flipped_bit_is_refused(tmp_path):
    file = tmp_path / "w.safetensors"
    save_weights(file, nn.Linear(3, 2))
    assert read_json(digest_file(file))["bytes"] == file.stat().st_size
    load_weights(file, nn.Linear(3, 2))
    flip(file, -1)
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(UserError, match=r"w\.safetensors is damaged: .*restore w\.safetensors from a copy of the run, or start"):
        load_weights(file, module)
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"sha256": 3}', '{"sha256": "00"}', '{"bytes": 9}', "[" * 900])
def test_a_damaged_digest_is_named_and_not_taken_for_none(tmp_path, record):
    file = tmp_path / "w.safetensors"
    save_weights(file, nn.Linear(3, 2))
    digest_file(file).write_text(record)
    with pytest.raises(UserError, match=r"w\.safetensors\.json is damaged: it must hold the digest of w\.safetensors"):
        load_weights(file, nn.Linear(3, 2))


def test_weights_without_a_digest_are_read_with_one_note(tmp_path, capsys):
    file = tmp_path / "w.safetensors"
    save_weights(file, nn.Linear(3, 2))
    digest_file(file).unlink()
    for _ in range(2):
        load_weights(file, nn.Linear(3, 2))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"note: {file} has no digest (w.safetensors.json), so damage to it would not be noticed"


def test_a_kill_between_the_two_files_leaves_no_digest_of_other_weights(tmp_path, monkeypatch):
    file = tmp_path / "w"
    write_with_digest(file, b"old")
    monkeypatch.setattr("common.run.digests.write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_with_digest(file, b"new")
    assert read_with_digest(file) == b"new"


@pytest.mark.parametrize("which", range(3))
def test_resume_compare_and_report_name_damaged_weights(tmp_path, which):
    RunFolder.create(tmp_path / "run", {"seed": 0}, SPACE).close()
    files = kept(tmp_path / "run")
    RunFolder.resume(tmp_path / "run", {"seed": 0}, SPACE).close()
    flip(files[which], -1)
    for _ in range(2):  # a refused run is let go of
        with pytest.raises(UserError, match=re.escape(f"{files[which]} is damaged")):
            RunFolder.resume(tmp_path / "run", {"seed": 0}, SPACE)
    run = make_run(tmp_path / "told")
    files = kept(run)
    assert "note:" not in compare([run])
    flip(files[which], -1)
    assert compare([run]).splitlines()[-1].startswith(f"note: {files[which]} is damaged: its SHA-256 is ")
    assert f"{files[which].name} is damaged" in write_report(run).read_text()


def test_several_damaged_files_are_counted_and_removed_ones_are_not(tmp_path):
    first, second, third = kept(tmp_path)
    flip(first, -1), flip(third, -1), second.unlink()
    assert [line.split(" is damaged")[0] for line in damaged_weights(tmp_path)] == [str(first), str(third)]


def test_weights_are_read_in_one_place():
    """Every verb reads weights by `load_weights`, so that none can forget the digest."""
    packages = [ROOT / name for name in ("common", "detection", "classification", "segmentation", "gan", "graphs")]
    modules = [module for package in packages for module in package.rglob("*.py")]
    assert len(modules) > 200
    reading = {str(module.relative_to(ROOT)) for module in modules if "safetensors.torch" in module.read_text()}
    assert reading == {"common/run/checkpoint.py"}
