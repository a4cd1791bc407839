"""The example of a backbone of one's own in a configuration of mmsegmentation."""

import pytest
import torch

from tests.examples.loading import example

pytestmark = pytest.mark.xdist_group("segmentation-micro")


@pytest.fixture(scope="module")
def run(tmp_path_factory, unexported):
    return example("own_segmentor").main(tmp_path_factory.mktemp("own segmentor") / "run", steps=4, trials=2)


def test_the_search_runs_to_a_report(run):
    assert run.finished and (run.path / "report.html").is_file() and (run.path / "best" / "model.safetensors").is_file()
    assert len(run.trials()) == len(run.trials("random")) == 2
    assert all(row.ok and 0 < row.scores["mIoU"] <= 1 for row in (*run.trials(), *run.trials("random")))
    assert {row.name for row in run.retrained()} == {"searched", "random 1", "baseline"}


def test_the_found_configuration_builds_the_trained_network(run):
    from mmengine.config import Config
    from mmengine.runner import load_checkpoint

    from common.mm import built

    module, config = example("own_segmentor"), Config.fromfile(run.path / "found.py")
    assert config.model.backbone.pop("type") == "OwnBackbone"
    backbone = module.MODELS.get("OwnBackbone")(**config.model.backbone)
    segmentor = built("mmseg", config.model, backbone, ("decode_head",), seed=1).eval()
    load_checkpoint(segmentor, config.load_from, strict=True, logger="silent")
    image = torch.rand(1, 3, 64, 64)
    assert sum(p.numel() for p in segmentor.parameters()) == run.cost()["params"]
    with torch.no_grad():
        assert torch.equal(segmentor(image), run.network()(image))


def test_the_train_step_gives_the_loss_of_mmsegmentation_and_it_falls():
    module = example("own_segmentor")
    torch.manual_seed(0)
    network = module.build(module.Net(hidden=16, dilations=((1,), (2,)))).train()
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=0.01), []
    for step in range(12):
        optimizer.zero_grad()
        losses.append(module.train_step(network, step))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.7 * losses[0].item()


def test_the_score_is_that_of_the_right_pictures():
    """A network that knows every pixel scores 1."""
    module = example("own_segmentor")

    class Perfect(torch.nn.Module):
        def data_preprocessor(self, batch, training):
            return batch

        def forward(self, inputs, data_samples, mode):
            for sample in data_samples:
                sample.pred_sem_seg = sample.gt_sem_seg.clone()
            return data_samples

    assert module.evaluate(Perfect())["mIoU"] == module.test(Perfect())["mIoU"] == 1
