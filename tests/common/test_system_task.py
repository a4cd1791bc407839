"""What every task has from its system, on the toy system: phases, variants, cuts."""

from pathlib import Path

import pytest

from common.errors import UserError
from common.overrides import override
from common.system_task import SystemTask
from tests.toy.system import BASELINE, SYSTEM, smoke


@pytest.fixture(scope="module")
def task() -> SystemTask:
    return SYSTEM.make(smoke(), Path("nowhere"))


def test_phases_of_no_steps_are_left_out(task):
    assert [phase.name for phase in task.phases("standalone")] == ["train"]
    assert [phase.name for phase in task.phases("relaxed")] == ["weights", "architecture"]
    untrained = task.variant(["train.steps=0"])
    assert not untrained.phases("standalone") and not untrained.phases("supernet") and not untrained.phases("relaxed")


def test_a_variant_has_other_settings_and_shares_the_data(task):
    other = task.variant(["train.steps=7"])
    assert type(other) is type(task) and other.settings == override(task.settings, ["train.steps=7"])
    assert other.data is task.data and task.settings.train.steps == 30
    assert other.phases("standalone")[0].settings.steps == 7
    larger = task.variant(["data.size=16"])
    assert larger.data is not task.data and larger.costs(BASELINE)["macs"] > task.costs(BASELINE)["macs"]


def test_a_cut_is_refused_by_a_task_that_has_none(task):
    with pytest.raises(UserError, match=r"classification data cannot be cut anew; give search\.evaluation\.cuts=1"):
        task.variant(cut=1)
    with pytest.raises(UserError, match="classification data cannot be cut anew"):
        task.variant(["tune.cuts=2"])


@pytest.mark.parametrize("grid", ['{"data.size":[8,16]}', '{"data.size":[16],"train.steps":[1,2]}'])
def test_a_grid_that_changes_the_data_is_refused(task, grid):
    with pytest.raises(UserError, match=r"tune\.grid: data\.size=16.* changes the data"):
        task.variant([f"tune.grid={grid}"])
    task.variant(['tune.grid={"train.steps":[1,2]}'])
