"""The candidates of a trained policy: different ones that keep the budget, in the order of its draws."""

from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.engines import Controller
from common.errors import UserError
from common.run.checkpoint import save_weights
from common.search.policy import Independent
from common.stages.context import Context
from common.stages.controlled import SampledCandidates, _parameters_of, policy_of
from tests.toy.system import BASELINE, MyNet

ENGINE = Controller(policy="independent")


def context(folder, feasible=lambda arch: True) -> Any:
    """Of a run whose policy is trained: it prefers the width 8."""
    space, said = MyNet(), []
    policy = Independent().policy(space, 0)
    policy.parameters[0][2, 1] = 2.0
    save_weights(folder / "policy.safetensors", _parameters_of(policy))
    task = SimpleNamespace(space=space, networks=SimpleNamespace(policy=None))
    progress = SimpleNamespace(say=said.append)
    return SimpleNamespace(
        task=task,
        seed=0,
        weights=lambda name: folder / f"{name}.safetensors",
        feasible=feasible,
        constraints=["macs <= 1"],
        progress=progress,
        said=said,
    )


def test_they_are_different_and_follow_the_policy(tmp_path):
    found = SampledCandidates(settings=ENGINE, count=5)(cast("Context", context(tmp_path)))
    assert len(found) == len(set(found)) == 5
    again = SampledCandidates(settings=ENGINE, count=3)(cast("Context", context(tmp_path)))
    assert again == found[:3], "a function of the seed"
    assert sum(arch["width"] == 1 for arch in found) >= 4


def test_they_keep_the_budget_and_too_few_are_told(tmp_path):
    one = context(tmp_path, lambda arch: arch["width"] == 0 and arch["kernels.0"] == 0)
    found = SampledCandidates(settings=ENGINE, count=5)(one)
    assert len(found) == 3 and all(one.feasible(arch) for arch in found)
    assert one.said == ["note: 3 of 5 candidates: the policy draws no more that differ"]
    with pytest.raises(UserError, match=r"none of 1,000 architectures that the policy draws keeps macs <= 1; let the cost"):
        SampledCandidates(settings=ENGINE, count=5)(context(tmp_path, lambda arch: False))


def test_a_policy_of_the_system_is_made_of_the_seed():
    made: list[int] = []
    policy = Independent().policy(MyNet(), 0)
    task = SimpleNamespace(space=MyNet(), networks=SimpleNamespace(policy=lambda seed: made.append(seed) or policy))
    assert policy_of(Controller(policy="own"), cast("Any", task), 4) is policy
    policy_of(Controller(policy="own"), cast("Any", task), 5)
    assert made[0] != made[1] and set(BASELINE) == set(policy.sample(Random(0)).arch)
