"""The cost that a search of binary networks trades for accuracy: operations, parameters, or the latency of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from binary.groups.recipes import smoke
from binary.groups.system import SYSTEM
from common.cost.timed import LATENCY
from common.engines import NSGA2
from common.objective import Objective, fronts
from common.options import RunOptions, settings_of
from common.run.files import read_json
from common.search.base import Scores, Trial
from common.search.driver import search
from common.space import Arch
from common.stages.run import run
from common.stages.search import front_of, problem_of
from tests.binary.test_latency import task, write
from tests.common.run.rows import rows

ENGINE = NSGA2(population=8)


def front(file: str, cost: str | None) -> tuple[list[str], list[dict[str, float]]]:
    """The objectives of a search for early options, and the costs of the networks on its front."""
    searching = replace(smoke().search, engine=ENGINE, cost=cost, reward=None)
    made = task(file, search=searching)
    problem = problem_of(searching, made, (), seed=0)

    def early(archs: list[Arch], fidelity: str) -> list[Scores]:
        return [Scores(values={"accuracy": -float(sum(arch.values()))}) for arch in archs]

    trials: list[Trial] = search(ENGINE.searcher(problem), early, budget=60, batch=8, cost=made.costs)
    ids = front_of(trials, problem.objectives)["front"]
    return [objective.name for objective in problem.objectives], [dict(trial.cost) for trial in trials if trial.id in ids]


@pytest.mark.parametrize("cost", [None, "params", LATENCY])
def test_the_front_follows_the_cost_that_is_named(tmp_path, cost):
    """Early options, of few groups, score more. By the table they take less time too, so that one network is best in both."""
    names, costs = front(write(tmp_path / "t.json", faster=-0.1), cost)
    assert names == ["accuracy", cost or "ops"]
    assert len(costs) == 1 if cost == LATENCY else len(costs) > 4


def test_the_fronts_of_two_costs_have_other_networks(tmp_path):
    file = write(tmp_path / "t.json")
    _, by_ops = front(file, None)
    _, by_params = front(file, "params")
    assert {cost["params"] for cost in by_ops} != {cost["params"] for cost in by_params}


def test_a_run_by_latency_has_its_front_and_draws_it_and_is_not_resumed_by_another_cost(tmp_path):
    file, out = write(tmp_path / "t.json"), tmp_path / "run"
    words = (
        *(f"latency={file}", "search.cost=latency", "search.engine=nsga2", "search.engine.population=4", "search.reward=null"),
        *("search.trials=8", "search.random_baseline=false", "pictures=0", "weights.steps=2", "train.steps=2"),
        *("retrain.random_archs=0", "retrain.seeds=1", "search.evaluation.images=50"),
    )
    options = RunOptions(recipe="smoke", out=str(out), quiet=True, workers=0, set=words)
    run(SYSTEM, SYSTEM.methods[0], settings_of({"smoke": smoke}, options), options)
    assert read_json(out / "config.json")["objectives"][1] == {"name": "latency", "direction": "min", "unit": "ms"}
    (found,) = (row["result"] for row in rows(out, "stages") if row["stage"] == "search")
    trials = rows(out, "trials")
    points = [(trial["scores"]["accuracy"], trial["cost"]["latency"]) for trial in trials]
    best = fronts(points, [Objective("accuracy"), Objective("latency", "min")])[0]
    assert found["follows"] == ["accuracy", "latency"] and found["front"] == [trials[i]["id"] for i in best]
    html = (out / "report.html").read_text()
    assert html.count("<h3>Score against cost</h3>") == html.count("<h3>What the score costs</h3>") == 1
    assert "against latency (ms)" in html and "OPs" not in html
