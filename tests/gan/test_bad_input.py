"""Bad input from the command line: one line with the file or value, rule and remedy; exit status 2; nothing lost."""

from __future__ import annotations

import pytest
import torch

from common.run.checkpoint import Checkpoint
from gan.compression.phases import Distil
from gan.phases import Pix2Pix
from tests.common.refusing import refused
from tests.common.run.rows import rows
from tests.gan.data.folders import make_subfolders
from tests.gan.micro import call, words

pytestmark = pytest.mark.timeout(120)

SETTINGS = {
    "data.size=30": ("data.size=30", "multiple of 4"),
    "data.size=20": ("data.size=20", "24 at least"),
    "data.load=20": ("data.load=20", "give data.size or more"),
    "data.val=1": ("data.val=1", "2 pictures or more"),
    "data.test=1": ("data.test=1", "give 2 or more"),
    "space=wide": ("space 'wide' does not exist", "channels-48"),
    "blocks=4": ("blocks=4", "multiple of 3"),
    "dropout=1.0": ("dropout=1.0", "a probability"),
    "teacher.width=8": ("teacher.width=8", "has wider students"),
    "teacher.mobile=false": ("a mobile teacher", "distil.steps=0"),
    "supernet.steps=0": ("supernet.steps=0", "must be trained"),
    "score=mIoU": ("score='mIoU' with segmenter=None", "give both or neither"),
    "score=beauty": ("score",),
    "paired.recon=-1": ("recon=-1", "0 or more"),
    "unpaired.distil=-1": ("unpaired.distil=-1", "0 or more"),
    "paired.discriminator=0": ("discriminator=0", "1 or more"),
    "search.engine.lean=0": ("lean=0", "above 0"),
    "search.engine=all": ("search.engine",),
}


@pytest.mark.parametrize("word", SETTINGS)
def test_settings_that_cannot_be(tmp_path, capsys, word):
    refused(call, words(tmp_path / "run", settings=[word]), SETTINGS[word], capsys)
    assert not (tmp_path / "run").exists()


def test_a_gradient_based_search_is_refused(tmp_path, capsys):
    argv = [word for word in words(tmp_path / "run") if not word.startswith("search.")]
    refused(call, [*argv, "search.engine=gradient"], ("gan-compression has no training of a relaxed supernet",), capsys)
    assert not (tmp_path / "run").exists()


def test_networks_that_inherit_nothing_must_be_trained(tmp_path, capsys):
    settings = ["search.evaluation=scratch", "finetune.steps=0"]
    refused(call, words(tmp_path / "run", settings=settings), ("finetune.steps=0", "must be trained"), capsys)


@pytest.mark.parametrize(
    ("budget", "parts"),
    [
        ("macs=1e6", ("budget macs=1e+06 is impossible: the cheapest architecture costs 1,192,896 macs", "raise the budget")),
        ("params=10", ("budget params=10 is impossible: the cheapest architecture costs 6,691 params",)),
        ("seconds=1", ("budget 'seconds' is no cost of a generator; limit params, macs",)),
    ],
)
def test_a_budget_below_the_smallest_configuration(tmp_path, capsys, budget, parts):
    argv = [word for word in words(tmp_path / "run", "--budget", budget) if not word.startswith("budget=")]
    refused(call, argv, parts, capsys)
    assert not (tmp_path / "run").exists()


def test_folders_that_cannot_be_used_are_refused_before_anything_is_trained(tmp_path, capsys):
    root = make_subfolders(tmp_path / "data")
    odd = next((root / "train").glob("*/*"))
    odd.write_bytes(odd.read_bytes()[:40])
    refused(call, words(tmp_path / "run", "--data", str(root)), (str(root), odd.name, "--skip-bad"), capsys)
    refused(call, words(tmp_path / "run", "--data", str(tmp_path / "no")), ("no", "not a folder"), capsys)
    assert not (tmp_path / "run").exists()


def test_scores_that_need_pairs_are_refused_without(tmp_path, capsys):
    settings = ["data.embedded=textures", "score=L1"]
    refused(call, words(tmp_path / "run", settings=settings), ("score='L1'", "search for Frechet"), capsys)


def test_inception_weights_that_are_none(tmp_path, capsys):
    file = tmp_path / "weights.pth"
    unreadable = ("holds no weights that can be read", "leave --features out")
    other = ("does not fit Inception v3", "give weights of this architecture")
    for content, parts in ((b"nothing", unreadable), (None, other)):
        if content is None:
            torch.save({"conv": torch.zeros(1)}, file)
        else:
            file.write_bytes(content)
        out = tmp_path / f"run-{len(parts[0])}"
        refused(call, words(out, "--features", str(file)), (str(file), *parts), capsys)
        assert not out.exists()


@pytest.mark.parametrize(("phase", "stage", "term"), [(Pix2Pix, "teacher", "loss_recon"), (Distil, "supernet", "loss_distil")])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(
    tmp_path, capsys, monkeypatch, no_export, phase, stage, term
):
    real, path = phase.loss, tmp_path / "run"

    def loss(self, model, batch, step):
        terms = dict(real(self, model, batch, step))
        if self.name == stage and (path / "checkpoints" / stage).exists():
            terms[term] = terms[term] * float("nan")
        return terms

    monkeypatch.setattr(phase, "loss", loss)
    refused(call, words(path), (f"the {term} is nan at step 2", "give a lower"), capsys)
    saved = Checkpoint(path / "checkpoints" / stage).load()
    assert saved is not None and saved.step == 2
    assert all(value.isfinite().all() for value in saved.tensors.values())
    monkeypatch.setattr(phase, "loss", real)
    call(words(path, "--resume"))
    assert rows(path, "stages")[-1]["stage"] == "export"
