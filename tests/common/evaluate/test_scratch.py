from statistics import fmean

import pytest

from common.errors import UserError
from common.evaluate.scratch import FromScratch
from common.space import sample
from common.stages.settings import PathPhaseSettings
from common.streams import stream
from common.train.optim import OptimSettings
from tests.common.stages.paths_toy import ToyTask


def test_scores_are_a_function_of_architecture_seed_and_fidelity():
    task = ToyTask()
    archs = list(dict.fromkeys(sample(task.space, stream(0, i)) for i in range(3)))
    scores = FromScratch(task=task, seed=1)(archs, "full")
    again = FromScratch(task=task, seed=1)(archs[::-1], "full")[::-1]
    other = FromScratch(task=task, seed=2)(archs, "full")
    short = FromScratch(task=task, seed=1)(archs, "0.5")
    assert [s.values for s in scores] == [s.values for s in again]
    assert [s.values for s in scores] != [s.values for s in other]
    assert [s.values for s in scores] != [s.values for s in short]
    assert all(s.status == "ok" and 0 < s.seconds < 60 for s in scores)


def test_a_training_that_diverges_is_a_failed_candidate():
    task = ToyTask(training=PathPhaseSettings(steps=6, batch=8, optim=OptimSettings(lr=1e30)))
    (scores,) = FromScratch(task=task, seed=0)([sample(task.space, stream(0))], "full")
    assert scores.status == "failed" and scores.values == {} and 0 < scores.seconds < 60
    assert scores.error.startswith("TrainingDiverged: the loss is ")


@pytest.mark.parametrize("fidelity", ["half", "0", "1.5", "nan"])
def test_other_fidelities_are_refused(fidelity):
    task = ToyTask()
    with pytest.raises(UserError, match="share of the steps"):
        FromScratch(task=task, seed=0)([sample(task.space, stream(0))], fidelity)


def test_on_several_cuts_the_fidelity_is_a_share_of_them_and_metrics_are_means(monkeypatch):
    """Every training has all its steps, from a seed of its own."""
    whole, rest = (
        ToyTask(),
        [ToyTask(training=PathPhaseSettings(steps=n, batch=8, optim=OptimSettings(lr=0.05))) for n in (2, 3, 4)],
    )
    arch = sample(whole.space, stream(0))
    seeds, real = [], ToyTask.network
    monkeypatch.setattr(ToyTask, "network", lambda self, arch, seed: seeds.append((self, seed)) or real(self, arch, seed))
    raced = FromScratch(task=whole, seed=5, others=rest)
    (quarter,), (half,), (full,) = (raced([arch], fidelity) for fidelity in ("0.25", "0.5", "full"))
    assert [task for task, _ in seeds] == [whole, whole, rest[0], whole, *rest]
    assert len({seed for _, seed in seeds[3:]}) == 4 and seeds[0][1] == seeds[3][1] == 5
    assert quarter.values == FromScratch(task=whole, seed=5)([arch], "full")[0].values
    alone = [FromScratch(task=task, seed=seed)([arch], "full")[0].values for task, seed in seeds[3:7]]
    assert half.values == {name: fmean(values[name] for values in alone[:2]) for name in alone[0]}
    assert full.values == {name: fmean(values[name] for values in alone) for name in alone[0]}


def test_a_share_below_one_cut_is_one_cut():
    task = ToyTask()
    archs = [sample(task.space, stream(0))]
    raced = FromScratch(task=task, seed=5, others=[task])
    assert raced(archs, "0.01")[0].values == FromScratch(task=task, seed=5)(archs, "full")[0].values


def test_a_training_that_diverges_on_one_cut_is_a_failed_candidate():
    task = ToyTask()
    worse = ToyTask(training=PathPhaseSettings(steps=6, batch=8, optim=OptimSettings(lr=1e30)))
    (scores,) = FromScratch(task=task, seed=0, others=[worse])([sample(task.space, stream(0))], "full")
    assert scores.status == "failed" and scores.values == {}
