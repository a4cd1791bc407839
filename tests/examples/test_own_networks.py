"""The examples of own networks run to their reports; the ResNet's supernet is torchvision's network."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from common import OneOf, Repeat, Run
from common.export import Parity
from common.own.facts import OwnFacts
from common.supernet import Supernet, check, extreme, opened
from tests.examples.running import example, refused, run_example

pytestmark = pytest.mark.slow

QUICK = ["supernet.steps=3", "train.steps=2", "search.trials=3", "retrain.seeds=1", "retrain.random_archs=1"]


def test_the_residual_network_runs_to_its_report(tmp_path, capsys):
    known = run_example("own_cnn", "--out", str(tmp_path / "run"), "--set", *QUICK)
    run = Run(tmp_path / "run", build=known["build"], space=known["Net"]())
    assert run.finished and f"{run.path / 'report.html'}" in capsys.readouterr().out
    with torch.no_grad():
        assert known["test"](run.network()) == run.best().test["accuracy"]
    line = refused(capsys, "own_cnn", "--out", str(tmp_path / "run"))
    assert line == f"error: {run.path} holds a run; give resume=True to go on with it, or another out\n"
    run_example("own_cnn", "--out", str(run.path), "--resume", "--set", *QUICK)


def test_the_widest_resnet_is_torchvisions_bit_for_bit():
    known = example("own_resnet")
    space, build = known["ResNet"](), known["build"]
    reference = resnet18(num_classes=10)
    with torch.no_grad():
        for norm in (part for part in reference.modules() if isinstance(part, torch.nn.BatchNorm2d)):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    supernet = Supernet(build(opened(space)), space)
    supernet.module.load_state_dict(reference.state_dict(), strict=True)
    widest = extreme(space, largest=True)
    supernet.activate(widest)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = reference.eval()(images)
        assert torch.equal(supernet.module.eval()(images), expected)
        assert torch.equal(supernet.extract(widest, build)(images), expected)
    assert supernet.extract(widest, build).state_dict().keys() == reference.state_dict().keys()


def test_the_transformer_runs_to_its_report_and_its_multiply_adds_are_those_of_torchs_counter(tmp_path, monkeypatch):
    monkeypatch.setattr(OwnFacts, "export", lambda self, network, folder: Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True))
    known = run_example("own_vit", "--out", str(tmp_path / "run"), "--set", *QUICK)
    space, build = known["ViT"](), known["build"]
    run = Run(tmp_path / "run", build=build, space=space)
    assert run.finished and run.arch("baseline")["width"] == "24"
    for row in run.retrained():
        # torch's counter does not know the fused kernel of CPUs: attention is done by products of matrices for it
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
            run.network(row.name, int(row.seed))(known["IMAGES"][:1])
        counted = counter.get_total_flops() / 2
        assert row.cost["macs"] == pytest.approx(counted, rel=0.01) and counted > 10_000


def test_the_transformers_space_keeps_the_rules():
    known = example("own_vit")
    assert check(known["build"], known["ViT"](), [known["IMAGES"][:2]], archs=6).archs == 6


def test_the_resnets_space_keeps_the_rules():
    known = example("own_resnet")
    stage = known["Stage"]
    small = known["ResNet"](stages=tuple(stage(OneOf(2, 4), Repeat(None, OneOf(1, 2))) for _ in range(4)))
    assert check(known["build"], small, [torch.rand(2, 3, 32, 32)], archs=3).archs == 3


def test_a_search_from_pretrained_weights_runs_to_its_report(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(OwnFacts, "export", lambda self, network, folder: Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True))
    torch.save(resnet18(num_classes=10).state_dict(), tmp_path / "resnet18.pt")
    known = run_example(
        "own_resnet", "--weights", str(tmp_path / "resnet18.pt"), "--out", str(tmp_path / "run"), "--steps", "1",
        "--set", "search.trials=2", "search.engine.population=2", "search.engine.tournament=1", "retrain.seeds=1",
        "search.random_baseline=false", "search.evaluation.calibration_batches=1",
    )  # fmt: skip
    run = Run(tmp_path / "run", build=known["build"], space=known["ResNet"]())
    assert run.finished and all(row.start == "training" for row in run.retrained())
    assert str(run.path / "report.html") in capsys.readouterr().out
