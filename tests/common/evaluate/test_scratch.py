import pytest

from common.errors import UserError
from common.evaluate.scratch import FromScratch
from common.oneshot.settings import PathPhaseSettings
from common.space import sample
from common.streams import stream
from common.train.optim import OptimSettings
from tests.common.oneshot.toy import ToyTask


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
    assert all(s.status == "ok" and s.seconds > 0 for s in scores)


def test_a_training_that_diverges_is_a_failed_candidate():
    task = ToyTask(training=PathPhaseSettings(steps=6, batch=8, optim=OptimSettings(lr=1e30)))
    (scores,) = FromScratch(task=task, seed=0)([sample(task.space, stream(0))], "full")
    assert scores.status == "failed" and scores.values == {} and scores.seconds > 0
    assert scores.error.startswith("TrainingDiverged: the loss is ")


@pytest.mark.parametrize("fidelity", ["half", "0", "1.5", "nan"])
def test_other_fidelities_are_refused(fidelity):
    task = ToyTask()
    with pytest.raises(UserError, match="share of the steps"):
        FromScratch(task=task, seed=0)([sample(task.space, stream(0))], fidelity)
