"""The recipes as data, and the published one run for a few steps."""

from dataclasses import replace

import pytest
import torch

from common.engines import TopK
from common.errors import UserError
from common.evaluate.settings import InheritedSettings
from common.stages.supernet import build_supernet, path_policy
from common.train.phase import train_phase
from detection.detnas.recipes import RECIPES, paper, with_head
from detection.heads import FasterRCNN, RetinaNet
from detection.settings import DataSettings
from tests.detection.micro import made


def test_paper_recipe_has_the_published_hyper_parameters():
    s = paper()
    assert (s.pretrain.steps, s.pretrain.batch, s.pretrain.optim.lr, s.pretrain.optim.weight_decay) == (300_000, 1024, 0.5, 4e-5)
    assert (s.pretrain.optim.schedule, s.label_smoothing, s.dropout) == ("linear", 0.1, 0.2)
    assert s.pretrain.bins == (290e6, 300e6, 310e6, 320e6, 330e6, 340e6, 350e6, 360e6)
    assert (s.detect.steps, s.detect.batch, s.detect.optim.lr, s.detect.optim.weight_decay) == (90_000, 16, 0.02, 1e-4)
    assert [round(drop * 90_000) for drop in s.detect.optim.drops] == [60_000, 80_000]
    assert round(s.detect.optim.warmup * 90_000) == 500
    engine, evaluation = s.search.engine, s.search.evaluation
    assert isinstance(engine, TopK) and isinstance(evaluation, InheritedSettings)
    assert (s.search.trials, engine.population, engine.mutants, engine.crossovers) == (20 * 50, 50, 20, 20)
    assert (engine.parents, engine.rate, evaluation.calibration_batches, evaluation.calibration_batch) == (10, 0.1, 500, 8)
    assert s.budget == {"macs_backbone": 300e6}
    assert s.warm_up.steps == 0  # the departure for small budgets is off
    assert (s.data.size, s.data.flip, s.data.crop) == (1088, True, 224)  # 640x480 becomes 1088x816
    assert isinstance(s.head, FasterRCNN)
    assert with_head(s, "retinanet").detect.optim.lr == 0.01


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("kind", ["retinanet", "faster_rcnn"])
def test_every_recipe_has_both_heads(recipe, kind):
    head = with_head(RECIPES[recipe](), kind).head
    assert isinstance(head, RetinaNet if kind == "retinanet" else FasterRCNN)


def test_unknown_heads_spaces_and_budgets_are_refused():
    with pytest.raises(UserError, match="head 'yolo'"):
        with_head(paper(), "yolo")
    with pytest.raises(UserError, match="space '5G'"):
        replace(paper(), space="5G")
    with pytest.raises(UserError, match="budget 'flops'"):
        replace(paper(), budget={"flops": 1.0})


@pytest.mark.parametrize("kind", ["retinanet", "faster_rcnn"])
def test_the_paper_recipe_trains(kind):
    """Two steps of each phase, supernet and standalone, on a few small scenes."""
    s = with_head(paper(), kind)
    tiny = {"steps": 2, "batch": 2}
    if isinstance(s.head, FasterRCNN):  # the published widths on fewer proposals
        s = replace(s, head=replace(s.head, train_proposals=40, test_proposals=20, box_samples=16))
    s = replace(
        s,
        data=DataSettings(size=64, classes=3, train=8, val=4, test=4, crop=32),
        pretrain=replace(s.pretrain, **tiny),
        detect=replace(s.detect, **tiny),
        retrain_pretrain=replace(s.retrain_pretrain, **tiny),
        retrain_detect=replace(s.retrain_detect, **tiny),
    )
    task = made(s)
    supernet = build_supernet(task, 0, "cpu")
    before = {name: p.detach().clone() for name, p in supernet.module.named_parameters()}
    for phase in task.phases("supernet"):
        policy = path_policy(task, phase.settings, 0, phase.name)
        if phase.settings.bins:
            macs = task.costs(policy(0)[0])[phase.settings.bins_in]
            assert phase.settings.bins[0] <= macs < phase.settings.bins[-1]
        last = train_phase(supernet.module, phase, seed=0, supernet=supernet, policy=policy)
        assert torch.isfinite(torch.tensor(last["loss"]))
    moved = [name for name, p in supernet.module.named_parameters() if not torch.equal(p, before[name])]
    assert any("backbone.stages.3" in name for name in moved) and any("neck" in name for name in moved)
    network = task.network(task.baseline, 0)
    train_phase(network, task.phases("standalone")[-1], seed=0)
    network.eval()
    assert 0 <= task.metrics(network, "val", 2)["AP50"] <= 1
