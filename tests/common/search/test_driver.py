"""The search loop: what it records, refuses and costs."""

import gc
import time

import pytest

from common.errors import UserError
from common.objective import Objective
from common.search.aging_evolution import AgingEvolution
from common.search.base import Scores, Trial
from common.search.driver import search
from common.search.random import RandomSearch
from common.space import Arch, OneOf
from tests.common.search.toys import HIT, SPACES, evaluator, small

GENES = tuple(OneOf(*range(8)) for _ in range(6))


def test_trials_hold_what_happened_and_reach_log_and_observer():
    logged, observed, asked = [], [], []

    def score(archs, fidelity):
        asked.append((len(archs), fidelity))
        return [Scores(values={"hit": 1.0}, seconds=0.5) for _ in archs]

    trials = search(
        RandomSearch(GENES, [HIT, Objective("macs", "min")]),
        score,
        budget=7,
        batch=3,
        fidelity="short",
        log=logged.append,
        observe=observed.append,
        cost=lambda arch: {"macs": sum(arch.values())},
    )
    assert trials == logged == observed and asked == [(3, "short"), (3, "short"), (1, "short")]
    assert [t.id for t in trials] == list(range(7))
    last = trials[-1]
    assert (last.fidelity, last.seconds, last.status, last.scores) == ("short", 0.5, "ok", {"hit": 1.0})
    assert last.value(Objective("macs", "min")) == sum(last.arch.values())


def test_only_new_trials_are_evaluated_and_logged():
    space = SPACES["flat"]
    whole = search(small("topk", space), evaluator(space), budget=20)
    logged: list[Trial] = []
    search(small("topk", space), evaluator(space), budget=20, history=whole[:13], log=logged.append)
    assert logged == whole[13:]
    assert search(small("topk", space), evaluator(space), budget=5, history=whole) == whole


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_a_failed_trial(bad):
    trials = search(RandomSearch(GENES, [HIT]), lambda a, f: [Scores(values={"hit": bad})], budget=2)
    assert (
        [t.status for t in trials] == ["failed"] * 2
        and trials[0].error.startswith(f"hit is {bad}; a score must be")
        and not trials[0].scores
    )


def test_an_objective_that_is_not_measured_is_named():
    with pytest.raises(UserError, match="'hit' is not measured, only ap"):
        search(RandomSearch(GENES, [HIT]), lambda a, f: [Scores(values={"ap": 1.0})], budget=2)
    with pytest.raises(UserError, match="trial 3 has no 'hit', only ap"):
        Trial(id=3, arch=Arch({}), scores={"ap": 1.0}).value(HIT)


def test_a_history_with_a_hole_is_refused():
    whole = search(small("random", GENES), evaluator(GENES), budget=4)
    with pytest.raises(UserError, match="place 1 holds trial 2"):
        search(small("random", GENES), evaluator(GENES), budget=6, history=[whole[0], whole[2]])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "the evaluator gave 0 results for 1 architectures; give a list of one"),
        ([Scores(values={"hit": 1.0})] * 2, "the evaluator gave 2 results for 1 architectures"),
        (None, "the evaluator gave NoneType for 1 architectures"),
        ([0.5], r"the evaluator gave float 0\.5 for an architecture; give a list"),
    ],
)
def test_an_evaluator_gives_one_result_for_each_architecture(found, message):
    with pytest.raises(UserError, match=message):
        search(small("random", GENES), lambda archs, fidelity: found, budget=2)


def test_the_time_per_trial_does_not_grow():
    """10,000 trials of aging evolution: a trial of the last fifth costs about one of the second."""
    stamps: dict[int, float] = {}

    def observe(trial: Trial) -> None:
        if trial.id % 2000 == 1999:
            stamps[trial.id] = time.process_time()

    def score(archs, fidelity):
        return [Scores(values={"hit": float(-sum(arch.values()))}) for arch in archs]

    gc.collect()
    gc.freeze()  # or else a collection of all that other tests have left in this process falls into one of the stretches
    search(AgingEvolution(GENES, [HIT]), score, budget=10_000, batch=16, observe=observe)
    early, late = stamps[3999] - stamps[1999], stamps[9999] - stamps[7999]
    assert late < 2.5 * early
    assert late / 2000 < 1e-3
