"""The example of a backbone of one's own in a configuration of mmdetection."""

import pytest
import torch

from common import Run
from tests.examples.running import EXAMPLES, example, refused, run_example

pytestmark = pytest.mark.xdist_group("micro")


QUICK = ["supernet.steps=4", "train.steps=2", "search.trials=2"]


@pytest.fixture(scope="module")
def known():
    return example("own_detector")


@pytest.fixture(scope="module")
def run(known, tmp_path_factory, unexported):
    folder = tmp_path_factory.mktemp("own detector") / "run"
    run_example("own_detector", "--out", str(folder), "--set", *QUICK)
    return Run(folder, build=known["build"], space=known["Net"]())


def test_the_search_runs_to_a_report(run):
    assert run.finished and (run.path / "report.html").is_file() and (run.path / "best" / "model.safetensors").is_file()
    assert len(run.trials()) == len(run.trials("random")) == 2
    assert all(row.ok and 0 <= row.scores["AP"] <= 1 for row in (*run.trials(), *run.trials("random")))
    assert {row.name for row in run.retrained()} == {"searched", "random 1", "baseline"}


def test_the_found_configuration_builds_the_trained_detector(run, monkeypatch):
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.runner import load_checkpoint

    from common.mm import scope

    monkeypatch.syspath_prepend(str(EXAMPLES))  # where the configuration imports the backbone from
    config = Config.fromfile(run.path / "found.py")
    with scope("mmdet"):
        detector = MODELS.build(config.model).eval()
    load_checkpoint(detector, config.load_from, strict=True, logger="silent")
    assert type(detector.backbone).__module__ == "own_detector"
    network, image = run.network(), torch.rand(1, 3, 64, 64)
    assert sum(p.numel() for p in detector.parameters()) == run.cost()["params"]
    with torch.no_grad():
        pairs = [(one, other) for maps in zip(network(image), detector(image)) for one, other in zip(*maps)]
    assert len(pairs) == 4 and all(map(torch.equal, *zip(*pairs)))


def test_the_train_step_gives_the_losses_of_mmdetection_and_they_fall(known):
    torch.manual_seed(0)
    network = known["build"](known["Net"](stem=8, hidden=(16, 16), kernels=((3,), (3,)))).train()
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=0.01), []
    for step in range(12):
        optimizer.zero_grad()
        losses.append(known["train_step"](network, step))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.7 * losses[0].item()


def test_the_score_is_that_of_the_right_pictures(known):
    """A detector that finds every box scores 1."""

    class Perfect(torch.nn.Module):
        def data_preprocessor(self, batch, training):
            return batch

        def forward(self, inputs, data_samples, mode):
            for sample in data_samples:
                sample.pred_instances = sample.gt_instances.clone()
                sample.pred_instances.scores = torch.ones(len(sample.gt_instances))
            return data_samples

    assert known["evaluate"](Perfect()) == known["test"](Perfect()) == pytest.approx(1)


def test_a_mistake_in_a_setting_is_a_line(tmp_path, capsys):
    line = refused(capsys, "own_detector", "--out", str(tmp_path / "run"), "--set", "search.trails=2")
    assert (
        line.startswith("error: ")
        and "SearchSettings has no field 'trails'" in line
        and line.count("\n") == 1
        and not (tmp_path / "run").exists()
    )
