"""Generations and batches, with a searcher that writes down what it was asked to make."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from common.errors import UserError
from common.search.base import Proposal, Trial, Unseen
from common.search.generations import TRIES, Generations, GenerationSearcher, breed
from common.space import Arch, enumerate_all, mutate, sample
from tests.common.search.toys import BOTH, SPACES

FLAT = SPACES["flat"]
EVERY = list(enumerate_all(FLAT))


@dataclass(slots=True)
class Recorder(GenerationSearcher):
    """3 random architectures, then 5 children of the last trial told, of which it makes 2 and leaves 3 to chance."""

    calls: list[tuple[int, int, int]] = field(default_factory=list, kw_only=True)

    def __post_init__(self) -> None:
        self._begin("recorder", first=3, later=5)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        seen = self._generations.unseen
        self.calls.append((start, n, len(seen)))
        good = self._good(start)
        if not good:
            return []
        return breed(seen, 2, lambda: Proposal(arch=mutate(FLAT, good[-1].arch, rng, 0.5), parents=(good[-1].id,), origin="m"))


def recorder(seed: int = 0) -> Recorder:
    return Recorder(FLAT, BOTH, seed=seed)


def trials(proposals: list[Proposal], first: int = 0, fidelity: str = "full") -> list[Trial]:
    return [
        Trial(id=i, arch=p.arch, scores={"hit": 0.0}, fidelity=p.fidelity or fidelity, parents=p.parents, origin=p.origin)
        for i, p in enumerate(proposals, start=first)
    ]


def history(n: int, batch: int) -> list[Trial]:
    """The first `n` trials of a search that asks for `batch` at a time."""
    searcher, told = recorder(), []
    while len(told) < n:
        told += (new := trials(searcher.ask(min(batch, n - len(told))), len(told)))
        searcher.tell(new)
    return told


def test_batches_are_slices_of_generations_and_a_generation_waits_for_all_its_trials():
    searcher = recorder()
    first = searcher.ask(2) + searcher.ask(2)
    assert len(first) == 3 and searcher.ask(9) == [], "the third is pending"
    told = trials(first)
    searcher.tell(told[:2])
    assert searcher.ask(9) == [] and searcher.calls == [(0, 3, 0)]
    searcher.tell(told[2:])
    second = searcher.ask(1) + searcher.ask(100)
    assert searcher.calls == [(0, 3, 0), (3, 5, 3)] and [p.origin for p in second] == ["m", "m", "random", "random", "random"]
    assert history(8, 1) == history(8, 3) == history(8, 100) == told + trials(second, 3)
    assert recorder(seed=1).ask(3) != first


def test_a_replay_at_every_cut_makes_only_the_generation_in_progress_and_goes_on_the_same():
    whole = history(18, 4)
    for cut in range(len(whole)):
        searcher = recorder()
        searcher.tell(whole[:cut])
        start, n = (0, 3) if cut < 3 else (3 + (cut - 3) // 5 * 5, 5)
        asked = searcher.ask(100)
        assert trials(asked, cut) == whole[cut : start + n], cut
        assert searcher.calls == [(start, n, start)], "what the generation has made already is not seen yet"


def test_a_proposal_told_by_someone_else_is_not_proposed_again():
    searcher = recorder()
    first = searcher.ask(1)
    (other,) = recorder().ask(3)[1:2]  # it waits in the queue
    searcher.tell(trials([*first, other]))
    rest = searcher.ask(9)
    assert len(rest) == 1 and other.arch not in {p.arch for p in rest}


def test_a_foreign_history_fills_generations_and_what_is_left_out_of_one_can_come_again():
    foreign = trials([Proposal(arch=arch) for arch in EVERY[100:106]])
    searcher = recorder()
    searcher.tell(foreign)  # 3 + 3 of 5
    asked = searcher.ask(100)
    assert searcher.calls == [(3, 5, 3)] and len(asked) == 2
    assert len(searcher._generations.unseen) == 8, "the 3 that do not fit are forgotten"
    assert {p.arch for p in asked}.isdisjoint(trial.arch for trial in foreign)


def test_the_same_architecture_at_another_fidelity_is_another_proposal():
    whole, half, foreign = (Generations(Unseen(FLAT), "g", 0, lambda start: 2) for _ in range(3))

    def again(start: int, n: int, rng: Random) -> list[Proposal]:
        return [Proposal(arch=trial.arch, fidelity="high") for trial in whole.told[:start]]

    asked = whole.ask(9, again)
    whole.tell(trials(asked, fidelity="low"))
    asked += whole.ask(9, again)
    assert [p.arch for p in asked[2:]] == [p.arch for p in asked[:2]] and [p.fidelity for p in asked] == ["", "", "high", "high"]
    half.tell([*whole.told, *trials(asked[2:3], 2)])
    assert half.ask(9, again) == asked[3:], "the second is known at the lower fidelity alone"
    foreign.tell([*whole.told, *trials([Proposal(arch=next(arch for arch in EVERY if arch not in whole.unseen))], 2)])
    assert foreign.ask(9, again) == asked[2:3], "there is room for one"
    assert asked[3].arch in foreign.unseen, "what was evaluated is not forgotten"


def test_a_generation_waits_for_its_own_trials_whatever_else_is_told():
    pair = [Proposal(arch=arch, fidelity="high") for arch in EVERY[:2]]
    generations = Generations(Unseen(FLAT), "g", 0, lambda start: 2)
    assert generations.ask(9, lambda start, n, rng: pair) == pair
    generations.tell(trials([Proposal(arch=arch, fidelity="low") for arch in (*EVERY[:2], *EVERY[7:9])]))
    assert generations.ask(9, lambda start, n, rng: []) == []
    generations.tell(trials(pair, 4))
    assert len(generations.ask(9, lambda start, n, rng: [])) == 2


def test_a_new_architecture_that_a_history_has_at_another_fidelity_is_left_out():
    generations = Generations(Unseen(FLAT), "g", 0, lambda start: 2)
    generations.tell(trials([Proposal(arch=EVERY[0], fidelity="low")]))
    pair = [Proposal(arch=arch, fidelity="high") for arch in EVERY[:2]]
    assert generations.ask(9, lambda start, n, rng: pair) == pair[1:]


def test_a_generation_that_cannot_be_filled_ends_the_search():
    searcher = Recorder(FLAT, BOTH, feasible=lambda arch: arch in EVERY[:4])
    searcher.tell(trials(first := searcher.ask(9)))
    (last,) = searcher.ask(9)
    assert len(first) == 3 and {p.arch for p in (*first, last)} == set(EVERY[:4])
    searcher.tell(trials([last], 3))
    assert searcher.ask(9) == [] == searcher.ask(9) and searcher.calls == [(0, 3, 0), (3, 5, 3)]


def test_sizes_may_depend_on_the_trials_before():
    starts: list[int] = []

    def make(start: int, n: int, rng: Random) -> list[Proposal]:
        starts.append(start)
        return []

    generations = Generations(Unseen(FLAT), "g", 0, lambda start: start + 1)
    for first in (0, 1, 3):
        generations.tell(trials(generations.ask(99, make), first))
    assert starts == [0, 1, 3] and len(generations.told) == 7


def counted(children: list[Arch | None]) -> tuple[Callable[[], Proposal], list[int]]:
    """A `child` that gives these architectures in turn, the last one for ever, an error for None; and its number of calls."""
    calls = [0]

    def child() -> Proposal:
        arch = children[min(calls[0], len(children) - 1)]
        calls[0] += 1
        if arch is None:
            raise UserError("nothing can change")
        return Proposal(arch=arch, parents=(7,), origin="mutation")

    return child, calls


@pytest.mark.parametrize(
    ("children", "born", "calls"),
    [
        ([0, 0, 1, 5, 2, 3], [0, 1, 2], 5),  # 0 again is a duplicate, 5 is infeasible
        ([0], [0], 3 * TRIES),
        ([0, None, 1], [0], 2),
    ],
)
def test_breed(children, born, calls):
    unseen = Unseen(FLAT, lambda arch: arch != EVERY[5])
    child, called = counted([None if i is None else EVERY[i] for i in children])
    made = breed(unseen, 3, child)
    assert made == [Proposal(arch=EVERY[i], parents=(7,), origin="mutation") for i in born] and called == [calls]
    assert len(unseen) == len(born) and all(p.arch in unseen for p in made)


def test_good_trials():
    searcher, found = recorder(), trials([Proposal(arch=sample(FLAT, Random(i))) for i in range(6)])
    searcher.tell([Trial(id=t.id, arch=t.arch, status="failed") if t.id in (1, 4) else t for t in found])
    assert [t.id for t in searcher._good(4)] == [0, 2, 3] and [t.id for t in searcher._good(6, after=3)] == [3, 5]
