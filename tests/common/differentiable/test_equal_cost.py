"""Random search at the cost of a differentiable search: what is counted, who is trained, for how long, and kills."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from common.arch import labels
from common.differentiable.flops import flops_of_search, flops_of_training, operations, spread_over
from common.differentiable.search import RelaxedSearch, alternation_of, score_of
from common.engines import Gradient
from common.engines.dropping import FreezeSettings, ProjectSettings
from common.engines.gradient import DeriveSettings
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.evaluate.settings import ProxySettings, ScratchSettings
from common.objective import Constraint
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.stages import run_stages
from common.search.base import Trial
from common.space import Arch, sample
from common.stages.context import Context
from common.stages.equal_cost import RANDOM, RandomAtEqualCost, training_flops
from common.stages.retrain import RandomArchs, avoiding
from common.stages.settings import SearchSettings
from common.streams import stream
from common.train.optim import ArchSettings
from common.train.step import Step
from tests.common.differentiable.toy import TRAINING, RelaxedToy
from tests.common.run.killing import dies, forked, status
from tests.common.stages.paths_toy import ToyPhase

ENGINE = Gradient(options=WeightingSettings(), arch=ArchSettings(lr=0.05), forbidden=("none",), snapshots=4, rivals=3)
RELAXED = RelaxedSearch(settings=ENGINE)


@dataclass(frozen=True, kw_only=True)
class Toy(RelaxedToy):
    """Trainings alone may be shorter or longer than the search."""

    alone: int = 12

    def phases(self, kind: str) -> list[ToyPhase]:
        if kind != "standalone":
            return super().phases(kind)
        return [ToyPhase(name="alone", settings=replace(TRAINING, steps=self.alone), dropout=0.2)]

    def variant(self, overrides: Any) -> "Toy":
        return replace(self, alone=int(overrides[0]))


@contextmanager
def opened_run(path: Path, task: Toy, upper=None, resume=False):
    """The context of a run in this folder."""
    torch.set_num_threads(1)
    open_folder = RunFolder.resume if resume else RunFolder.create
    with open_folder(path, {"seed": 0}, task.space) as folder, LocalPool(0) as pool:
        yield Context(
            task=task,
            factory=partial(Toy, alone=task.alone),
            folder=folder,
            progress=Progress(quiet=True),
            pool=pool,
            seed=0,
            device="cpu",
            constraints=[] if upper is None else [Constraint("macs", upper=upper)],
            save_every=5,
        )


def run(path: Path, engine=ENGINE, task=None, upper=None, evaluation=None, resume=False, random=None, before=None):
    task = task or Toy()
    settings = SearchSettings(engine=engine, evaluation=evaluation or ScratchSettings())
    relaxed = RelaxedSearch(settings=engine)
    random = random or RandomArchs(allowed=avoiding(task.space, ("none",)))
    stage = RandomAtEqualCost(settings=settings, search=relaxed, searches=[relaxed], random=random)
    with opened_run(path, task, upper, resume) as context:
        if before is not None:
            before(context.folder)
        run_stages([relaxed, stage], context.folder, Progress(quiet=True), context, "again")
        return context.folder.result(RANDOM), context.folder.trials("random.jsonl")


def test_a_linear_layer_is_counted_exactly():
    """Forward 2 b i o, the gradient of the weights as much; steps of all phases, several batches a step."""

    def task(steps, accumulate):
        phase = SimpleNamespace(
            settings=SimpleNamespace(steps=steps, accumulate=accumulate),
            wrap=lambda network, seed: network,
            batch_at=lambda step, seed: torch.zeros(7, 5),
            loss=lambda model, batch, step: {"loss": F.dropout(model(batch)).sum()},
        )
        skipped = SimpleNamespace(settings=SimpleNamespace(steps=0, accumulate=1))
        return SimpleNamespace(network=lambda arch, seed: layer, phases=lambda kind: [phase, skipped, phase])

    layer = nn.Linear(5, 3, bias=False)
    state = torch.get_rng_state()
    assert flops_of_training(task(10, 1), Arch({}), 0) == 2 * 10 * 2 * (2 * 7 * 5 * 3)
    assert flops_of_training(task(10, 3), Arch({}), 0) == 3 * 2 * 10 * 2 * (2 * 7 * 5 * 3)
    assert torch.equal(state, torch.get_rng_state()), "nobody else's random numbers change"


def search_flops(made=12, **changes):
    engine = replace(ENGINE, **changes)
    return flops_of_search(alternation_of(engine, Toy(), 0), Toy().phases("relaxed")[0].loss, made)


def test_steps_of_weights_and_of_both_are_told_apart():
    whole = search_flops()
    assert search_flops(made=6) == whole / 2
    warm = search_flops(arch=ArchSettings(lr=0.05, begin=0.5))
    assert whole / 2 < warm < whole and warm == search_flops(arch=ArchSettings(lr=0.05, every=2))
    assert search_flops(arch=ArchSettings(lr=0.05, begin=0.75)) == pytest.approx(warm - (whole - warm) / 2)
    assert search_flops(rule="one-level") < whole < search_flops(rule="second-order"), "one backward pass; five passes"


@pytest.mark.parametrize("changed", [{}, {"scored": 16}, {"freeze": FreezeSettings(every=2, threshold=-0.999)}, {"entropy": 1.0}])
def test_what_is_said_of_a_search_is_what_it_took(changed, tmp_path):
    with opened_run(tmp_path / "run", Toy()) as context:
        stage = RelaxedSearch(settings=replace(ENGINE, **changed))
        with FlopCounterMode(display=False) as counter:
            result = dict(stage.run(context))
        context.folder.finish("search", result, 0.0)
        assert stage.flops(context) == counter.get_total_flops() > 0


def test_what_stops_learning_is_counted_as_if_it_went_on(tmp_path):
    with opened_run(tmp_path / "run", Toy()) as context:
        stage = RelaxedSearch(settings=replace(ENGINE, freeze=FreezeSettings(every=2, threshold=1.0)))
        with FlopCounterMode(display=False) as counter:
            result = dict(stage.run(context))
        context.folder.finish("search", result, 0.0)
        assert stage.flops(context) > counter.get_total_flops() > 0


def test_scorings_of_a_projection_are_part_of_the_cost(tmp_path):
    """Five edges of two allowed operations, and a node with three inputs; a projected option is counted as if it had stayed."""
    task, stage = Toy(), RelaxedSearch(settings=replace(ENGINE, project=ProjectSettings(begin=0.25, items=16)))
    with opened_run(tmp_path / "run", task) as context:
        with FlopCounterMode(display=False) as counter:
            result = dict(stage.run(context))
        context.folder.finish("search", result, 0.0)
        found = stage.flops(context)
    alternation = alternation_of(stage.settings, task, 0)
    once = operations(partial(score_of, task, alternation, 16))
    assert found == search_flops() + (5 * 2 + 3) * once > counter.get_total_flops() > 0


def test_what_is_sampled_is_cheaper_than_the_mixture():
    assert search_flops(options=WeightingSettings(kind="hard-gumbel", temperature=(10.0, 0.1))) < search_flops()


def test_steps_are_sampled_evenly():
    steps = [Step(number=n, progress=0.0, seed=0) for n in range(7)]
    assert [step.number for step in spread_over(steps)] == [0, 3, 6]
    assert spread_over(steps[:2]) == steps[:2] and [step.number for step in spread_over(steps, 2)] == [0, 6]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("equal") / "run"
    return path, *run(path)


def test_both_searches_take_as_many_operations(finished):
    _, result, trials = finished
    flops = result["flops"]
    full = [flops_of_training(Toy(), trial.arch, 0) for trial in trials]
    assert flops["search"] == pytest.approx(search_flops()) and result["trials"] == len(trials) == 3
    assert flops["random"] == pytest.approx(result["share"] * sum(full))
    assert 0.999 < flops["random"] / flops["search"] <= 1
    assert {trial.fidelity for trial in trials} == {f"{result['share']:.6f}"}


def test_the_best_candidate_is_found(finished):
    _, result, trials = finished
    best = max(trials, key=lambda trial: trial.scores["accuracy"])
    assert result["arch"] == labels(Toy().space, best.arch) and result["scores"] == best.scores
    assert len({trial.arch for trial in trials}) == 3
    assert not any("none" in labels(Toy().space, trial.arch).values() for trial in trials), "as free of it as what is derived"


def test_short_trainings_make_more_candidates(tmp_path):
    result, trials = run(tmp_path / "run", task=Toy(alone=2))
    full = [flops_of_training(Toy(alone=2), trial.arch, 0) for trial in trials]
    assert len(trials) > 3 and result["share"] < 1
    assert sum(full) >= result["flops"]["search"] > sum(full[:-1]), "no more than are needed"


def test_a_space_that_is_used_up_trains_them_in_full(tmp_path):
    some = [sample(Toy().space, stream(seed, "some")) for seed in range(2)]
    result, trials = run(tmp_path / "run", task=Toy(alone=1), random=RandomArchs(allowed=lambda arch: arch in some))
    assert len(trials) == 2 and result["share"] == 1 and {trial.fidelity for trial in trials} == {"full"}


def test_long_trainings_are_cut_short(tmp_path):
    result, trials = run(tmp_path / "run", task=Toy(alone=12_000_000))
    assert len(trials) == 3 and result["share"] == 1e-6, "never without a step"


def test_candidates_are_of_the_evaluation(tmp_path):
    """A variant of the task, or several cuts of the data."""
    result, _ = run(tmp_path / "proxy", task=Toy(alone=24), evaluation=ProxySettings(overrides=("12",)))
    assert result["share"] == run(tmp_path / "scratch", task=Toy(alone=12))[0]["share"]


def test_every_cut_of_the_data_is_a_training():
    context = SimpleNamespace(task=Toy(), seed=0, device="cpu")
    arch = sample(Toy().space, stream(0, "cuts"))
    assert training_flops(context, ScratchSettings(cuts=3))(arch) == 3 * flops_of_training(Toy(), arch, 0)


def test_budgets_are_kept(tmp_path):
    costs = sorted(Toy().costs(trial.arch)["macs"] for trial in run(tmp_path / "free")[1])
    _, trials = run(tmp_path / "run", upper=costs[0])
    assert len(trials) >= 3 and all(Toy().costs(trial.arch)["macs"] <= costs[0] for trial in trials)


def test_candidates_that_a_search_trained_at_last_are_part_of_its_cost(tmp_path):
    trained = sample(Toy().space, stream(0, "trained"))
    engine = replace(ENGINE, derive=DeriveSettings())

    def before(folder):
        for i, fidelity in enumerate(("0.25", "full")):
            folder.append_trial(Trial(id=i, arch=trained, scores={"accuracy": 0.5}, cost={}, fidelity=fidelity), "trials.jsonl")

    result, _ = run(tmp_path / "run", engine=engine, before=before)
    wanted = search_flops() + 1.25 * flops_of_training(Toy(), trained, 0)
    assert result["flops"]["search"] == pytest.approx(wanted)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_killed_search_goes_on_to_the_same_result(finished, tmp_path, calls):
    path, result, _ = finished

    def child():
        dies(RunFolder, "append_trial", calls)
        run(tmp_path / "run")

    assert status(forked(child)) == -9
    assert run(tmp_path / "run", resume=True)[0] == result
    assert _rows(tmp_path / "run") == _rows(path)


def _rows(path: Path) -> list[Any]:
    rows = [json.loads(line) for line in (path / "random.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_damaged_number_of_steps_is_refused(finished, tmp_path):
    with RunFolder.create(tmp_path / "run", {"seed": 0}, Toy().space) as folder:
        folder.finish("search", {"made": 99}, 0.0)
        context = SimpleNamespace(task=Toy(), seed=0, device="cpu", folder=folder, constraints=[])
        with pytest.raises(UserError, match=r"stages.jsonl: in the result of stage 'search' made is 99, not a number of steps"):
            RELAXED.flops(context)
