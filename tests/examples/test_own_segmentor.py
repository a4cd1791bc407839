"""The example of a backbone of one's own in a configuration of mmsegmentation."""

import pytest
import torch

from common import Run
from tests.examples.running import EXAMPLES, example, run_example

pytestmark = pytest.mark.xdist_group("segmentation-micro")


QUICK = ["supernet.steps=4", "train.steps=2", "search.trials=2"]


@pytest.fixture(scope="module")
def known():
    return example("own_segmentor")


@pytest.fixture(scope="module")
def run(known, tmp_path_factory, unexported):
    folder = tmp_path_factory.mktemp("own segmentor") / "run"
    run_example("own_segmentor", "--out", str(folder), "--set", *QUICK)
    return Run(folder, build=known["build"], space=known["Net"]())


def test_the_search_runs_to_a_report(run):
    assert run.finished and (run.path / "report.html").is_file() and (run.path / "best" / "model.safetensors").is_file()
    assert len(run.trials()) == len(run.trials("random")) == 2
    assert all(row.ok and 0 < row.scores["mIoU"] <= 1 for row in (*run.trials(), *run.trials("random")))
    assert {row.name for row in run.retrained()} == {"searched", "random 1", "baseline"}
    assert all(row.val["mIoU"] != row.test["mIoU"] for row in run.retrained())  # of other pictures


@pytest.mark.filterwarnings("ignore:``build_loss`` would be deprecated:UserWarning")  # mmsegmentation's own heads call it
def test_the_found_configuration_builds_the_trained_network(run, monkeypatch):
    from mmengine.config import Config
    from mmengine.runner import load_checkpoint
    from mmseg.registry import MODELS

    from common.mm import scope

    monkeypatch.syspath_prepend(str(EXAMPLES))  # where the configuration imports the backbone from
    config = Config.fromfile(run.path / "found.py")
    with scope("mmseg"):
        segmentor = MODELS.build(config.model).eval()
    load_checkpoint(segmentor, config.load_from, strict=True, logger="silent")
    image = torch.rand(1, 3, 64, 64)
    assert type(segmentor.backbone).__module__ == "own_segmentor"
    assert sum(p.numel() for p in segmentor.parameters()) == run.cost()["params"]
    with torch.no_grad():
        assert torch.equal(segmentor(image), run.network()(image))


def test_the_train_step_gives_the_loss_of_mmsegmentation_and_it_falls(known):
    torch.manual_seed(0)
    network = known["build"](known["Net"](hidden=16, dilations=((1,), (2,)))).train()
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=0.01), []
    for step in range(12):
        optimizer.zero_grad()
        losses.append(known["train_step"](network, step))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.7 * losses[0].item()


def test_the_score_is_that_of_the_right_pictures(known):
    """A network that knows every pixel scores 1."""

    class Perfect(torch.nn.Module):
        def data_preprocessor(self, batch, training):
            return batch

        def forward(self, inputs, data_samples, mode):
            for sample in data_samples:
                sample.pred_sem_seg = sample.gt_sem_seg.clone()
            return data_samples

    assert known["evaluate"](Perfect())["mIoU"] == known["test"](Perfect())["mIoU"] == 1
