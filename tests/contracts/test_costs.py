"""The cost that a search trades for, on every system listed: each of its networks' costs can be it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from common.options import RunOptions, settings_of
from common.overrides import override
from common.stages.run import run
from common.system_task import SystemTask
from tests.contracts.cases import SYSTEMS
from tests.contracts.runs import SMALLER

IDS = [f"{task}-{system.name}" for task, system in SYSTEMS]


@pytest.fixture(scope="module", params=SYSTEMS, ids=IDS)
def made(request):
    """A system, and its task by the recipe smoke."""
    _, system = request.param
    settings = settings_of(system.methods[0].recipes, RunOptions(set=tuple(SMALLER.get(system.name, ()))))
    return system, system.make(settings, Path("none"))


def with_cost(task: SystemTask, cost: str) -> SystemTask:
    """The same task, whose search trades for another cost."""
    return type(task)(task.system, override(task.settings, [f"search.cost={cost}"]), Path("none"), task.data)


def test_the_default_is_what_the_task_says(made):
    _, task = made
    assert task.settings.search.cost is None and list(task.objectives) == list(task.own_objectives)
    assert task.objectives[1].name in task.costs(task.baseline) and task.objectives[1].direction == "min"


def test_every_cost_of_the_networks_can_be_traded_for(made):
    _, task = made
    for cost in task.costs(task.baseline):
        first, second = with_cost(task, cost).objectives
        assert first == task.objectives[0] and (second.name, second.direction) == (cost, "min")
    same = task.objectives[1]
    assert with_cost(task, same.name).objectives[1] == same, "with its unit"


@pytest.mark.parametrize(
    ("cost", "said"), [("speed", "is no cost of "), ("latency", "needs a latency table: --set latency=TABLE")]
)
def test_another_one_is_refused_before_any_work(made, tmp_path, cost, said):
    system, task = made
    method, known = system.methods[0], task.costs(task.baseline)
    options = RunOptions(
        out=str(tmp_path / "run"), workers=0, quiet=True, set=(*SMALLER.get(system.name, ()), f"search.cost={cost}")
    )
    with pytest.raises(UserError, match=rf"^search\.cost={cost} {said}") as refused:
        run(system, method, settings_of(method.recipes, options), options)
    assert cost == "latency" or str(refused.value).endswith(f"; give {', '.join(known)}")
    assert not (tmp_path / "run").exists()
