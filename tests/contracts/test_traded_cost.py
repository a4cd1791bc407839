"""The cost that a search trades against quality can be named for every system, and what no network has is refused."""

import pytest

from common.errors import UserError
from common.overrides import override
from common.system import System
from common.system_task import SystemTask
from tests.contracts.cases import listed

SYSTEMS = [(task, system) for task, system in listed() if system.name != "mynet"]  # whose settings check no costs
each = pytest.mark.parametrize(("task", "system"), SYSTEMS, ids=[f"{task}-{system.name}" for task, system in SYSTEMS])


@each
def test_a_cost_is_named_by_settings_and_checked(task: str, system: System):
    settings = system.methods[0].recipes["smoke"]()
    assert settings.search.cost is None
    assert override(settings, ["search.cost=params"]).search.cost == "params"
    with pytest.raises(UserError, match=r"search\.cost 'warmth' is no cost of a .*; give params, macs"):
        override(settings, ["search.cost=warmth"])
    with pytest.raises(UserError, match=r"search\.cost 'latency' needs a latency table: --set latency=TABLE\.json"):
        override(settings, ["search.cost=latency"])
    timed = override(settings, ["latency=t.json", "search.cost=latency"])
    assert timed.search.cost == "latency"


@each
def test_the_task_trades_the_cost_that_is_named(task: str, system: System):
    kind = system.task.resolve()
    assert issubclass(kind, SystemTask) and "objectives" not in vars(kind), "the core knows what search.cost does to them"
