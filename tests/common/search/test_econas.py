"""EcoNAS: tiers of fidelity."""

from collections import defaultdict
from random import Random

import pytest

from common.errors import UserError
from common.search.base import Scores, Trial
from common.search.driver import search
from common.search.econas import EcoNAS
from common.space import Arch, OneOf, enumerate_all, sample, size
from tests.common.search.toys import BOTH, HIT, SPACES, evaluator

TWENTY = tuple(OneOf(*"abcd") for _ in range(20))
TARGET = sample(TWENTY, Random(3))
FIDELITIES = ("20", "40", "60")


def hamming(archs, fidelity):
    """Scores that grow with the fidelity by more than networks differ: comparing across fidelities would be a blunder."""
    offset = 100.0 * int(fidelity)
    return [Scores(values={"hit": offset - float(sum(TARGET[p] != i for p, i in arch.items()))}) for arch in archs]


def misleading(archs, fidelity):
    """The same, upside down: the higher the fidelity, the lower all its scores."""
    offset = -100.0 * int(fidelity)
    return [Scores(values={"hit": offset - float(sum(TARGET[p] != i for p, i in arch.items()))}) for arch in archs]


def cycles(trials):
    """Generations, cut by what the algorithm says each holds: continued ones come first in every cycle."""
    found, previous = [], None
    for trial in trials:
        if previous is None or (trial.origin == "continued" and previous != "continued"):
            found.append([])
        found[-1].append(trial)
        previous = trial.origin
    return found


def test_a_cycle_with_full_tiers_has_the_published_jobs():
    searcher = EcoNAS(TWENTY, [HIT])
    trials = search(searcher, hamming, budget=16 + 14 + 23 + 28 * 20, batch=5)
    first, second, third, *full = cycles(trials)
    assert [t.origin for t in first] == ["random"] * 16
    assert len(second) == 8 + 6 and len(third) == 8 + 4 + 6 + 5, "empty tiers have no parents"
    for cycle in full:
        jobs = [(t.origin, t.fidelity) for t in cycle]
        assert jobs == [("continued", "40")] * 8 + [("continued", "60")] * 4 + [("mutation", "20")] * 16
        tiers = [trials[t.parents[0]].fidelity for t in cycle[12:]]
        assert tiers == ["20"] * 6 + ["40"] * 5 + ["60"] * 5
    for tier, fidelity in zip(searcher.tiers, FIDELITIES, strict=True):
        assert {t.fidelity for t in tier} == {fidelity}
        assert list(tier) == sorted(tier, key=lambda t: (-t.scores["hit"], t.id)), "the best first"


def test_fidelities_are_climbed_one_by_one_and_once():
    trials = search(EcoNAS(TWENTY, [HIT]), hamming, budget=500, batch=9)
    climbed = defaultdict(list)
    for trial in trials:
        climbed[trial.arch].append(trial.fidelity)
    assert {tuple(found) for found in climbed.values()} == {FIDELITIES[:n] for n in (1, 2, 3)}
    for trial in trials:
        if trial.origin == "continued":
            (parent,) = trial.parents
            assert trials[parent].arch == trial.arch
            assert FIDELITIES.index(trial.fidelity) == FIDELITIES.index(trials[parent].fidelity) + 1
        elif trial.origin == "mutation":
            assert trial.fidelity == "20"
            assert sum(trials[trial.parents[0]].arch[p] != trial.arch[p] for p in trial.arch) == 1


@pytest.mark.parametrize("patience", [3, 10])
def test_the_population_is_what_a_plain_reading_of_the_rules_gives(patience):
    """A second bookkeeping: who is in which tier, who is continued, who may be a parent."""
    trials = search(EcoNAS(TWENTY, [HIT], patience=patience), hamming, budget=700)
    highest, updated = {}, {}  # architecture -> its last trial, and in which cycle that was
    for number, cycle in enumerate(cycles(trials)):
        tiers = [
            sorted(
                (t for arch, t in highest.items() if t.fidelity == f and number - updated[arch] < patience),
                key=lambda t: (-t.scores["hit"], t.id),
            )
            for f in FIDELITIES
        ]
        wanted = [t.id for t in tiers[0][:8] + tiers[1][:4]]
        assert [t.parents[0] for t in cycle if t.origin == "continued"][: len(wanted)] == wanted[: len(cycle)]
        alive = {t.id for tier in tiers for t in tier}
        assert all(t.parents[0] in alive for t in cycle if t.origin == "mutation")
        for trial in cycle:
            highest[trial.arch], updated[trial.arch] = trial, number
    assert any(number - cycle >= patience for cycle in updated.values()), "some were dropped"


def test_scores_of_different_fidelities_are_never_compared():
    """Adding a constant to all scores of one fidelity changes nothing, in the search nor in what is best."""

    def plan(trials):
        return [(t.arch, t.fidelity, t.parents) for t in trials]

    one, other = (search(EcoNAS(TWENTY, [HIT], seed=4), by, budget=400) for by in (hamming, misleading))
    assert plan(one) == plan(other)
    searcher = EcoNAS(TWENTY, [HIT])
    a, b = searcher.best(one), searcher.best(other)
    assert a is not None and b is not None and a.id == b.id and a.fidelity == "60"
    assert a.scores["hit"] == max(t.scores["hit"] for t in one if t.fidelity == "60")


def test_the_best_is_of_the_highest_fidelity_that_succeeded():
    searcher = EcoNAS(TWENTY, [HIT])

    def trial(i, fidelity, hit):
        scores = {} if hit is None else {"hit": hit}
        return Trial(id=i, arch=Arch({"x": i}), scores=scores, status="ok" if scores else "failed", fidelity=fidelity)

    trials = [trial(0, "20", 9.0), trial(1, "40", 1.0), trial(2, "40", 2.0), trial(3, "60", None), trial(4, "full", 99.0)]
    assert searcher.best(trials) is trials[2]
    assert searcher.best(trials[:1]) is trials[0]
    assert searcher.best(trials[3:]) is None and searcher.best([]) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_it_beats_chance_by_far(seed):
    trials = search(EcoNAS(TWENTY, [HIT], seed=seed), hamming, budget=1500, batch=28)
    best = EcoNAS(TWENTY, [HIT]).best(trials)
    assert best is not None and best.scores["hit"] - 6000 >= -1


def test_an_exhausted_space_is_continued_to_the_end():
    space = SPACES["flat"]
    trials = search(EcoNAS(space, BOTH, patience=1000), evaluator(space), budget=10_000)
    lowest = [t for t in trials if t.fidelity == "20"]
    assert {t.arch for t in lowest} == set(enumerate_all(space)) and len(lowest) == size(space)
    for low, high in (("20", "40"), ("40", "60")):
        assert {t.arch for t in trials if t.fidelity == low and t.status == "ok"} == {
            t.arch for t in trials if t.fidelity == high
        }


@pytest.mark.parametrize("key", ["where", "nested"])
def test_a_replay_goes_on_through_drops_and_exhaustion(key):
    space = SPACES[key]

    def run(history=(), batch=4):
        searcher = EcoNAS(space, BOTH, initial=5, continued=(2, 1), parents=(2, 1, 1), patience=3, seed=2)
        return search(searcher, evaluator(space), budget=10_000, batch=batch, history=history)

    whole = run()
    assert whole == run(batch=1) == run(batch=1000)
    for cut in {*range(0, len(whole), 17), *range(len(whole) - 8, len(whole) + 1)}:
        assert run(whole[:cut]) == whole, cut


def test_tournaments_take_a_quarter_of_a_tier_and_one():
    """In the first cycle: 5 of 16 with replacement, so that rank r or better wins with 1 - (1 - (r + 1) / 16) ** 5."""
    won = []
    for seed in range(150):
        trials = search(EcoNAS(TWENTY, [HIT], seed=seed), hamming, budget=30)
        ranked = sorted(trials[:16], key=lambda t: (-t.scores["hit"], t.id))
        won += [ranked.index(trials[t.parents[0]]) for t in trials[24:] if t.origin == "mutation"]
    assert len(won) == 150 * 6
    for rank in (0, 2, 5):
        expected = 1 - (1 - (rank + 1) / 16) ** 5
        assert sum(r <= rank for r in won) / 900 == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("many", range(0, 60, 3))
def test_trials_from_elsewhere_in_the_middle_of_a_cycle(many):
    """They take the places of proposals, continued ones too; still nothing is proposed twice at its fidelity."""
    space = SPACES["flat"]
    mine = search(EcoNAS(space, BOTH), evaluator(space), budget=60)
    seen = {t.arch for t in mine}
    others = [arch for arch in enumerate_all(space) if arch not in seen][:many]
    scores = {"hit": -4.0, "size": 1.0}
    history = mine + [Trial(id=60 + i, arch=arch, scores=scores, fidelity="full") for i, arch in enumerate(others)]
    trials = search(EcoNAS(space, BOTH), evaluator(space), budget=10_000, history=history)
    assert len({(t.arch, t.fidelity) for t in trials}) == len(trials)
    assert {t.arch for t in trials} == set(enumerate_all(space))


def test_a_failed_continuation_leaves_the_population():
    def fragile(archs, fidelity):
        return [Scores(status="failed", error="no") if fidelity == "40" else s for s in hamming(archs, fidelity)]

    trials = search(EcoNAS(TWENTY, [HIT]), fragile, budget=300)
    failed = {t.parents[0] for t in trials if t.fidelity == "40"}
    assert failed and not any(t.fidelity == "60" for t in trials)
    for number, cycle in enumerate(found := cycles(trials)):
        gone = {t.parents[0] for before in found[:number] for t in before if t.fidelity == "40"}
        assert not gone & {t.parents[0] for t in cycle if t.parents}
    assert len(failed) == sum(t.fidelity == "40" for t in trials), "nobody is continued twice"


def test_two_fidelities_or_one():
    two = EcoNAS(TWENTY, [HIT], fidelities=("20", "60"), continued=(8,), parents=(8, 8))
    trials = search(two, hamming, budget=200)
    assert {t.fidelity for t in trials} == {"20", "60"}
    one = EcoNAS(TWENTY, [HIT], fidelities=("20",), continued=(), parents=(6,))
    assert {t.origin for t in search(one, hamming, budget=60)} == {"random", "mutation"}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"fidelities": ("20", "20", "60")}, "each once"),
        ({"fidelities": ()}, "one or more"),
        ({"fidelities": ("20", "")}, "one or more"),
        ({"continued": (8,)}, "give 2 and 3 numbers"),
        ({"parents": (8, 8)}, "give 2 and 3 numbers"),
        ({"initial": 0}, "at least 1"),
        ({"patience": 0}, "at least 1"),
        ({"parents": (6, 0, 5)}, "at least 1"),
    ],
)
def test_bad_settings_are_refused(settings, why):
    with pytest.raises(UserError, match=why):
        EcoNAS(TWENTY, [HIT], **settings)
