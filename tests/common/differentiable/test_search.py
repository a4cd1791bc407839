"""The stage of differentiable search on a toy: files, kills, budgets, stop rules, and every strategy by its name."""

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
import torch

from common.arch import from_labels
from common.cost.bounds import cheapest, dearest
from common.differentiable import search as stage
from common.differentiable.search import RelaxedSearch, alternation_of, score_of
from common.engines import Gradient
from common.engines.gradient import RuleName
from common.engines.weighting import READS, Kind, WeightingSettings
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.objective import Constraint
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.stages import run_stages
from common.space import decisions
from common.stages.context import Context
from common.train.optim import ArchSettings, OptimSettings
from tests.common.differentiable.toy import TRAINING, RelaxedToy, price_of
from tests.common.run.killing import die, forked, status

SEARCH = Gradient(options=WeightingSettings(), arch=ArchSettings(lr=0.05), forbidden=("none",), snapshots=4)


def run(path: Path, settings=SEARCH, task=None, resume=False, upper=None, **changes):
    task = task or RelaxedToy()
    torch.set_num_threads(1)
    open_folder = RunFolder.resume if resume else RunFolder.create
    with open_folder(path, {"seed": 0}, task.space) as folder, LocalPool(0) as pool:
        context = Context(
            task=task,
            factory=partial(RelaxedToy),
            folder=folder,
            progress=Progress(quiet=True),
            pool=pool,
            seed=0,
            device="cpu",
            constraints=[] if upper is None else [Constraint("macs", upper=upper)],
            save_every=5,
        )
        run_stages([RelaxedSearch(settings=settings)], folder, Progress(quiet=True), context, "again")
        return folder.result("search")


def results(path: Path) -> dict[str, object]:
    """Everything a run computed, wall-clock seconds apart."""
    found: dict[str, object] = {}
    for name in ("metrics", "stages"):
        rows = [json.loads(line) for line in (path / f"{name}.jsonl").read_text().splitlines()]
        found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    for file in ("weights/search.safetensors", "strengths.json", "snapshots.json"):
        found[file] = (path / file).read_bytes()
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("relaxed") / "run"
    run(path)
    return path


def test_what_is_found_is_of_the_space_and_nothing_forbidden(finished):
    found = results(finished)
    result = found["stages"][0]["result"]
    arch = from_labels(RelaxedToy().space, result["arch"], "result")
    known = decisions(RelaxedToy().space)
    assert all(label != "none" for label in result["arch"].values())
    assert set(arch) <= set(known)
    assert (result["steps"], result["snapshots"], result["stopped"]) == (12, 4, False)
    rows = {row["step"]: row["values"] for row in found["metrics"]}
    assert {"loss", "arch_val", "arch_grad_norm", "entropy"} <= set(rows[2])
    assert 0 < rows[2]["entropy"] <= 1
    snapshots = json.loads(found["snapshots.json"])
    assert snapshots[-1]["derived"] == result["arch"]
    strengths = json.loads(found["strengths.json"])
    assert all(sum(values) == pytest.approx(1, abs=1e-5) for values in strengths.values())


@pytest.mark.parametrize("settings", [SEARCH, replace(SEARCH, members=WeightingSettings(keep=0.5), entropy=0.1, cost="dual")])
def test_kills_leave_no_trace(tmp_path, settings):
    upper = dearest(price_of(2), "macs").value * 0.8
    run(tmp_path / "undisturbed", settings, upper=upper)
    path = tmp_path / "run"
    for kill_at in (2, 1):  # at step 5, then at step 8

        def work(kill_at=kill_at):
            real, calls = RunFolder.append_metrics, iter(range(100))

            def dying(self, name, step, values):
                if next(calls) == kill_at:
                    die()
                real(self, name, step, values)

            RunFolder.append_metrics = dying
            run(path, settings, upper=upper, resume=path.exists())

        assert status(forked(work)) == -signal.SIGKILL
    run(path, settings, upper=upper, resume=True)
    assert results(path)["stages"] == results(tmp_path / "undisturbed")["stages"]
    assert {k: v for k, v in results(path).items() if k != "metrics"} == {
        k: v for k, v in results(tmp_path / "undisturbed").items() if k != "metrics"
    }


@pytest.mark.parametrize("cost", ["filter", "dual"])
def test_a_budget_holds(tmp_path, cost):
    price = price_of(2)
    low, high = cheapest(price, "macs").value, dearest(price, "macs").value
    upper = low + 0.4 * (high - low)
    result = run(tmp_path / "run", replace(SEARCH, cost=cost, dual_rate=0.5 if cost == "dual" else 0.01), upper=upper)
    arch = from_labels(RelaxedToy().space, result["arch"], "result")
    assert price.value(arch, "macs") <= upper and result["proven"]


def test_a_budget_that_nothing_keeps_is_refused(tmp_path):
    with pytest.raises(UserError, match="budget macs=1 is impossible"):
        run(tmp_path / "run", upper=1.0)


def test_a_stop_rule_ends_the_search(tmp_path, monkeypatch):
    class AfterTwo:
        def stops(self, history):
            return len(history) >= 2

    monkeypatch.setattr(stage, "stop_rule_of", lambda settings, space: AfterTwo())
    result = run(tmp_path / "run")
    assert (result["snapshots"], result["stopped"]) == (2, True)
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert max(steps) == 5, "two of four snapshots of twelve steps"
    late = run(tmp_path / "late", replace(SEARCH, arch=replace(SEARCH.arch, begin=0.25)))
    assert (late["snapshots"], late["made"]) == (3, 9), "the first one is from before the architecture learns"


def test_the_search_network_is_scored_without_noise():
    plain, noisy = (alternation_of(replace(SEARCH, radius=radius), RelaxedToy(), 0) for radius in (0.0, 9.0))
    assert score_of(RelaxedToy(), plain, 64) == score_of(RelaxedToy(), noisy, 64)
    weights = []
    for one in (plain, noisy):
        one.relaxation.mix(0, 1.0, frozen=True)
        weights.append(
            torch.cat([slot.mixed.weights for slot in one.relaxation.supernet.slots.values() if slot.mixed is not None])
        )
    assert not torch.equal(*weights)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("recompute", [False, True])
def test_every_weighting_searches(tmp_path, kind, recompute):
    cooling = (2.0, 2.0) if kind == "reinmax" else (2.0, 0.5)
    options = WeightingSettings(kind=kind, **({"temperature": cooling} if "temperature" in READS[kind] else {}))
    members = replace(options, **({"kept": 2} if kind == "one-hot" else {}))
    arch = replace(SEARCH.arch, **({"betas": (0.0, 0.999), "weight_decay": 0.0} if kind == "two-gates" else {}))
    start = 0.5 if kind == "one-hot" else 0.0
    settings = replace(SEARCH, options=options, members=members, arch=arch, start=start, recompute=recompute)
    task = RelaxedToy(training=replace(TRAINING, steps=3))
    assert run(tmp_path / "run", settings, task)["arch"]


@pytest.mark.parametrize("rule", [rule for rule in get_args(RuleName) if rule != "none"])  # see `test_abandoning`
def test_every_rule_searches(tmp_path, rule):
    plain = OptimSettings(name="sgd", lr=0.05)
    task = RelaxedToy(training=replace(TRAINING, steps=3, optim=plain))
    assert run(tmp_path / "run", replace(SEARCH, rule=rule), task)["arch"]


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match=r"search\.engine\.snapshots=0: give 1 or more"):
        replace(SEARCH, snapshots=0)
