"""The noise floor of a search: the summary's worked example, and trainings that are a function of their numbers."""

from dataclasses import replace

import pytest

from common.stages.settings import PhaseSettings
from common.train.optim import OptimSettings
from tests.bench.noise import Floor, parsed, summary
from tests.toy.system import SYSTEM, smoke


def row(number: int, seed: int, value: float) -> dict[str, object]:
    return {"number": number, "seed": seed, "scores": {"accuracy": value}}


def test_the_summary_of_the_worked_example():
    rows = [row(number, seed, 30 + number + 0.2 * seed) for number in range(3) for seed in range(2)]
    found = summary(rows, "accuracy")
    assert found["seeds"] == pytest.approx(0.1414, abs=1e-3)
    assert found["candidates"] == pytest.approx((1 - 0.02 / 2) ** 0.5)
    assert found["share"] == pytest.approx(0.98, abs=0.005) and found["rank_correlation"] == 1


def test_where_seeds_make_all_the_difference_candidates_make_none():
    rows = [row(0, 0, 1.0), row(0, 1, 3.0), row(1, 0, 3.0), row(1, 1, 1.0), row(2, 0, 2.0), row(2, 1, 2.0)]
    found = summary(rows, "accuracy")
    assert found["candidates"] == found["share"] == 0 and found["rank_correlation"] == -1


@pytest.fixture
def floor() -> Floor:
    train = PhaseSettings(steps=2, batch=8, optim=OptimSettings(name="adam", lr=0.01))
    return Floor(SYSTEM, replace(smoke(), train=train, budget={"params": 1000}), 0.5)


def test_architectures_keep_the_budget_and_are_the_same_ones_whatever_their_number(floor):
    archs = floor.archs(4)
    assert floor.archs(2) == archs[:2] and len(set(archs)) == 4
    assert all(floor.task.costs(arch)["params"] <= 1000 for arch in archs)


def test_a_row_is_a_function_of_architecture_and_seed(floor):
    first, again, other = (floor.row(item) | {"seconds": 0} for item in ((1, 0), (1, 0), (1, 1)))
    assert first == again and first["arch"] == other["arch"] and first["scores"] != other["scores"]
    assert first["error"] == "" and set(first["scores"]) == {"accuracy", "loss"}
    whole = Floor(floor.system, floor.settings, 1.0).row((1, 0))
    assert whole["scores"] != first["scores"], "a share of the steps is another training"


def test_the_command_line_names_a_system():
    options = parsed(["superres", "hnas", "--out", "rows.jsonl", "--set", "train.steps=3"])
    assert (options.task, options.method, options.recipe, options.share, options.set) == (
        "superres",
        "hnas",
        "small",
        0.2,
        ["train.steps=3"],
    )
