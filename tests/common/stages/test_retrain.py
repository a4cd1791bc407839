"""Which architectures are retrained beside the one that was found."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.arch import labels
from common.engines import TopK
from common.errors import UserError
from common.objective import Constraint
from common.run.checkpoint import read_weights
from common.space import decisions, decode, enumerate_all, sample
from common.stages.context import Context
from common.stages.retrain import RandomArchs, Retrain, avoiding
from common.stages.settings import RetrainSettings
from common.stages.standard import random_of
from common.streams import stream
from common.task import Outside
from tests.common.differentiable.toy import RelaxedToy
from tests.common.stages.paths_toy import build
from tests.common.stages.toy import SEARCH, TunedToy, find, opened


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


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_random_architectures_cost_a_share_of_every_budget(share):
    """Of both upper limits; far cheaper ones are drawn where no share is asked for."""
    task = RelaxedToy()
    first = next(iter(decisions(task.space)))
    archs = list(enumerate_all(task.space))

    def costs(arch):
        return {"a": sum(arch.values()), "b": 10 * arch[first]}

    most = {name: max(costs(arch)[name] for arch in archs) for name in ("a", "b")}
    context = SimpleNamespace(
        task=SimpleNamespace(space=task.space, costs=costs),
        feasible=lambda arch: True,
        constraints=[*(Constraint(name, upper=upper) for name, upper in most.items()), Constraint("a", lower=0)],
    )
    drawn = RandomArchs(share=share).of(cast("Context", context), archs[0], [archs[0]], stream(0, "share"))
    found = [costs(arch) for arch in drawn]
    wanted = [cost for cost in map(costs, archs[1:]) if all(cost[name] >= share * most[name] for name in most)]
    assert len(found) == len(wanted) < len(archs) - (share > 0)
    assert all(cost[name] >= share * most[name] for cost in found for name in most)


def test_a_run_draws_them_by_its_settings():
    made = SimpleNamespace(search=SimpleNamespace(engine=TopK()), retrain=RetrainSettings(random_share=0.7))
    task = SimpleNamespace(settings=made, networks=SimpleNamespace(random_like=None))
    assert random_of(cast("Any", task)).share == 0.7
    with pytest.raises(UserError, match=r"retrain\.random_share=1\.0: give a number from 0 to below 1"):
        RetrainSettings(random_share=1.0)


@pytest.mark.parametrize(("forbidden", "all_pass"), [((), True), (("no such label",), True), (("none", "skip", "conv3"), False)])
def test_labels_decide(forbidden, all_pass):
    space, rng = RelaxedToy().space, stream(0, "labels")
    assert all(avoiding(space, forbidden)(sample(space, rng)) for _ in range(20)) == all_pass


def test_a_network_outside_of_the_space_is_trained_beside(tmp_path):
    """It is made of its own description, of what was found, and its row has no architecture, but its cost."""
    task, seen = TunedToy(), []

    def outside(arch):
        seen.append(arch)
        chain = decode(task.space, task.baseline)
        return {
            "longer": Outside(build=partial(build, replace(chain, kernels=(*chain.kernels, 3))), cost={"params": 7, "macs": 9})
        }

    found = task.baseline.switched("kernels.0", 0)
    retrain = Retrain(settings=RetrainSettings(random_archs=0, seeds=2), search=SEARCH, outside=outside)
    with opened(tmp_path / "run", task) as context:
        find(context, found)
        assert retrain.run(context)["networks"] == 3
        rows = {(row["name"], row["seed"]): row for row in context.folder.log("retrained.jsonl").rows()}
    assert seen == [found] and list(rows) == [(name, seed) for seed in (0, 1) for name in ("searched", "baseline", "longer")]
    longer = rows["longer", 1]
    assert (longer["kind"], longer["arch"], longer["cost"]) == ("baseline", {}, {"params": 7, "macs": 9})
    weights = read_weights(tmp_path / "run" / "retrained" / "longer-1.safetensors")
    assert len(weights) > len(read_weights(tmp_path / "run" / "retrained" / "baseline-1.safetensors"))
    assert longer["test"] != rows["baseline", 1]["test"]


def test_a_network_outside_needs_a_name_of_its_own(tmp_path):
    task = TunedToy()
    same = {"baseline": Outside(build=partial(build, decode(task.space, task.baseline)), cost={})}
    retrain = Retrain(settings=RetrainSettings(random_archs=0, seeds=1), search=SEARCH, outside=lambda arch: same)
    with opened(tmp_path / "run", task) as context, pytest.raises(ValueError, match="another network has that name"):
        find(context, task.baseline)
        retrain.run(context)
