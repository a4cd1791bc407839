"""Which architectures are retrained beside the one that was found."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.arch import labels
from common.space import sample
from common.stages.context import Context
from common.stages.retrain import RandomArchs, Retrain, avoiding
from common.stages.settings import RetrainSettings
from common.streams import stream
from tests.common.differentiable.toy import RelaxedToy
from tests.common.stages.toy import SEARCH


def rivals(allowed, count: int = 8, feasible=lambda arch: True) -> list[Any]:
    """The architectures drawn at random beside a first one that takes no forbidden option."""
    task = RelaxedToy()
    rng = stream(0, "winner")
    clean = avoiding(task.space, ("none",))
    winner = next(arch for arch in iter(lambda: sample(task.space, rng), None) if clean(arch))
    context = SimpleNamespace(
        task=SimpleNamespace(space=task.space, baseline=winner),
        found=lambda stage: winner,
        feasible=feasible,
        constraints=[],
        seed=0,
    )
    stage = Retrain(settings=RetrainSettings(random_archs=count), search=SEARCH, random=RandomArchs(allowed=allowed))
    return [arch for _, kind, arch in stage.rivals(cast("Context", context)) if kind == "random"]


def test_random_architectures_are_as_free_of_options_as_what_is_derived():
    space = RelaxedToy().space
    free = avoiding(space, ("none",))
    drawn = rivals(free)
    assert len(drawn) == 8 == len(set(drawn))
    assert all("none" not in labels(space, arch).values() for arch in drawn)
    assert not all(map(free, rivals(None))), "of eight drawn freely some take it"


def test_constraints_hold_besides():
    space = RelaxedToy().space
    free, cheap = avoiding(space, ("none",)), avoiding(space, ("conv3",))
    assert all(free(arch) and cheap(arch) for arch in rivals(free, 2, cheap))


@pytest.mark.parametrize(("forbidden", "all_pass"), [((), True), (("no such label",), True), (("none", "skip", "conv3"), False)])
def test_labels_decide(forbidden, all_pass):
    space, rng = RelaxedToy().space, stream(0, "labels")
    assert all(avoiding(space, forbidden)(sample(space, rng)) for _ in range(20)) == all_pass
