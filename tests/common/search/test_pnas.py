"""Progressive search and its cells."""

from collections import Counter
from itertools import islice, product
from math import prod
from random import Random

import numpy as np
import pytest

from common.errors import UserError
from common.objective import Objective
from common.predict.base import Prediction, check
from common.search import pnas
from common.search.base import Scores
from common.search.driver import search
from common.search.pnas import PNAS, by_decisions
from common.search.pnas_space import OPS, PNASNET5, Block, Cells, blocks_of, cell_of, cell_space, unique_blocks
from common.search.random import RandomSearch
from common.space import Arch, OneOf, Where, decode, enumerate_all, sample, size
from tests.common.search.toys import HIT, Nearest

SIX = tuple(OneOf(*"abcde") for _ in range(6))
FILLER = Arch({str(i): 4 for i in range(6)})
PAIRS = [["0", "1"], ["2", "3"], ["4", "5"]]
TARGET = sample(SIX, Random(3))


def near_target(archs, fidelity):
    return [Scores(values={"hit": -float(sum(abs(TARGET[p] - i) for p, i in arch.items()))}) for arch in archs]


class Knows:
    """Predicts what `worth` says, and counts how it was asked."""

    def __init__(self, worth):
        self.worth, self.fits, self.most = worth, [], 0

    def fit(self, archs, scores, seed):
        check(archs, scores)
        self.fits.append(len(archs))

        def predict(archs):
            self.most = max(self.most, len(archs))
            return Prediction(np.array([self.worth(a) for a in archs]), np.zeros(len(archs)))

        return predict


def oracle():
    return Knows(lambda arch: near_target([arch], "")[0].values["hit"])


# ------------------------------------------------------------------------------------------------------------------- cells


def swapped(block):
    in1, in2, op1, op2 = block
    return in2, in1, op2, op1


@pytest.mark.parametrize(
    ("inputs", "raw", "unique"), [(2, 256, 136), (3, 576, 300), (4, 1024, 528), (5, 1600, 820), (6, 2304, 1176)]
)
def test_blocks_of_a_level_counted_as_published(inputs, raw, unique):
    everything = list(product(range(inputs), range(inputs), range(8), range(8)))
    assert len(everything) == raw
    listed = unique_blocks(inputs)
    assert len(listed) == len(set(listed)) == unique
    assert all(swapped(block) == block or swapped(block) not in listed for block in listed)
    assert {*listed, *map(swapped, listed)} == set(everything), "one of each pair, none left out"


def test_the_space_has_the_published_size_at_each_number_of_blocks():
    sizes = [size(cell_space(b)) for b in range(1, 6)]
    assert [b - a for a, b in zip([0, *sizes], sizes, strict=False)] == [
        prod((256, 576, 1024, 1600, 2304)[:b]) for b in range(1, 6)
    ]
    assert sizes[4] - sizes[3] == pytest.approx(5.566e14, rel=1e-3)


def test_the_first_level_is_256_cells_of_which_136_differ():
    cells = Cells(1)
    archs = list(enumerate_all(cells.space))
    assert len(archs) == 256 and len({cells.canonical(a) for a in archs}) == 136
    first = list(Cells(5).levels().first())
    assert len(set(first)) == 136 and all(len(blocks_of(decode(cell_space(5), a))) == 1 for a in first)


def test_the_published_cell_is_an_instance():
    cells = Cells()
    assert decode(cells.space, cells.encode(PNASNET5)) == PNASNET5
    # the same cell as others wrote it down, in the notation of DARTS: (node, input, operation), two for each node
    genotype = [
        *[(2, 0, "sep_conv_5x5"), (2, 0, "max_pool_3x3"), (3, 1, "sep_conv_7x7"), (3, 1, "max_pool_3x3")],
        *[(4, 1, "sep_conv_5x5"), (4, 1, "sep_conv_3x3"), (5, 4, "sep_conv_3x3"), (5, 1, "max_pool_3x3")],
        *[(6, 0, "sep_conv_3x3"), (6, 1, "identity")],
    ]
    edges = [(2 + i, source, op) for i, b in enumerate(blocks_of(PNASNET5)) for source, op in ((b.in1, b.op1), (b.in2, b.op2))]
    assert edges == genotype


def test_the_published_cell_is_reached_level_by_level():
    cells = Cells()
    blocks = blocks_of(PNASNET5)
    goal = cells.canonical(cells.encode(PNASNET5))
    reached = next(a for a in cells.levels().first() if cells.canonical(a) == goal[:1])
    for level in range(2, 6):
        expansions = list(cells.levels().expand(reached, level))
        assert len(set(expansions)) == (300, 528, 820, 1176)[level - 2]
        reached = next(a for a in expansions if cells.canonical(a) == goal[:level])
    assert len(blocks) == 5 and cells.canonical(reached) == goal


def test_architectures_and_choices_are_each_others_inverse():
    cells = Cells(4)
    lengths = Counter()
    for i in range(100):
        arch = sample(cells.space, Random(i))
        choices = cells.choices(arch)
        lengths[len(choices)] += 1
        assert cells.arch(choices) == arch == cells.encode(decode(cells.space, arch))
        assert cells.canonical(cells.arch([swapped(block) for block in choices])) == cells.canonical(arch)
        assert len(cells.tokens(arch)) == 4 * len(choices) and max(cells.tokens(arch)) < cells.vocabulary
    assert set(lengths) == {1, 2, 3, 4}


def test_tokens_are_inputs_and_operations_that_no_input_has():
    cells = Cells(2)
    assert cells.tokens(cells.arch([(0, 1, 2, 3), (2, 0, 5, 7)])) == [0, 1, 3 + 2, 3 + 3, 0, 2, 3 + 7, 3 + 5]
    assert cells.vocabulary == 3 + 8


def test_a_level_decided_anew_keeps_all_other_blocks():
    cells = Cells(3)
    arch = cells.arch([(0, 1, 2, 3), (2, 0, 5, 5), (3, 3, 1, 0)])
    for level in (1, 2, 3):
        for other in islice(cells.expand(arch, level), 50):
            moved = [a != b for a, b in zip(cells.choices(arch), cells.choices(other), strict=True)]
            assert not any(m for i, m in enumerate(moved) if i != level - 1)
            decode(cells.space, other)
    assert list(cells.expand(cells.arch([(0, 1, 2, 3)]), 3)) == [] == list(cells.expand(arch, 4))


def test_cells_outside_the_space_are_refused():
    with pytest.raises(UserError, match="read 0 to 1"):
        Cells().encode(cell_of([Block(2, 0, OPS[0], OPS[0])]))
    with pytest.raises(UserError, match="apply sep_conv_3x3"):
        Cells().encode(cell_of([Block(0, 0, "conv", OPS[0])]))
    with pytest.raises(UserError, match="5 blocks in a space of at most 2"):
        Cells(2).encode(PNASNET5)
    with pytest.raises(UserError, match="at least 1"):
        cell_space(0)
    with pytest.raises(UserError, match="at least 1"):
        cell_of([])


# ---------------------------------------------------------------------------------------------------------------- searcher


def test_levels_are_evaluated_as_published():
    """All 136 cells of one block, then the best 10 of all cells with one more block than those evaluated last."""
    cells = Cells(3)
    predictor = Knows(lambda arch: float(sum(op for _, _, *ops in cells.choices(arch) for op in ops)))

    def worth(archs, fidelity):
        return [Scores(values={"hit": predictor.worth(arch)}) for arch in archs]

    searcher = PNAS(cells.space, [HIT], levels=cells.levels(), predictor=predictor, beam=10, canonical=cells.canonical)
    trials = search(searcher, worth, budget=166, batch=50)
    lengths = [len(cells.choices(t.arch)) for t in trials]
    assert lengths == [1] * 136 + [2] * 10 + [3] * 10 + [3] * 10
    assert {cells.canonical(t.arch) for t in trials[:136]} == {(block,) for block in unique_blocks(2)}
    assert predictor.fits == [136, 146, 156], "refitted with everything before each level"
    for start, before in ((136, 0), (146, 136)):
        possible = {cells.canonical(a) for t in trials[before:start] for a in cells.expand(t.arch, lengths[start])}
        best = sorted((predictor.worth(cells.arch(c)) for c in possible), reverse=True)[:10]
        assert [t.scores["hit"] for t in trials[start : start + 10]] == best
        for trial in trials[start : start + 10]:
            (parent,) = trial.parents
            assert before <= parent < start and trial.origin == "expansion"
            assert cells.choices(trial.arch)[:-1] == cells.choices(trials[parent].arch)


def test_groups_are_opened_in_turn_and_the_rest_waits_at_the_filler():
    levels = by_decisions(SIX, PAIRS, FILLER)
    searcher = PNAS(SIX, [HIT], levels=levels, predictor=Nearest(), first=10, beam=8)
    trials = search(searcher, near_target, budget=26, batch=3)
    for level, part in enumerate((trials[:10], trials[10:18], trials[18:26]), 1):
        waiting = [path for group in PAIRS[level:] for path in group]
        assert all(t.arch[path] == 4 for t in part for path in waiting)
        assert len({tuple(t.arch[path] for path in PAIRS[level - 1]) for t in part}) > 1
        assert {t.origin for t in part} == {"random" if level == 1 else "expansion"}


def test_levels_are_settled_anew_in_turn_from_the_best_of_all():
    """Each generation changes one group. Its parents: all of the generation before; after the last level the best of all."""
    levels, beam = by_decisions(SIX, PAIRS, FILLER), 9
    trials = search(PNAS(SIX, [HIT], levels=levels, predictor=oracle(), first=10, beam=beam), near_target, budget=10 + 6 * beam)
    starts = range(10, len(trials), beam)
    for generation, start in enumerate(starts, start=1):
        before = [t for t in trials[:start] if t.id >= max(0, start - beam if generation > 1 else 0)]
        best = sorted(trials[:start], key=lambda t: (-t.scores["hit"], t.id))
        parents = before if generation < 3 else best[:beam]
        for trial in trials[start : start + beam]:
            (parent,) = trial.parents
            assert parent in {t.id for t in parents}
            changed = {path for path in trial.arch if trial.arch[path] != trials[parent].arch[path]}
            assert changed <= set(PAIRS[generation % 3])
        assert trials[start].parents == (best[0].id,), "the best is a parent too"
    assert best[0].arch == TARGET and best[0].id == starts[2], "the parent of later ones, though not in the generation before"


@pytest.mark.parametrize("direction", ["max", "min"])
def test_it_finds_the_best_by_a_good_predictor_in_either_direction(direction):
    predictor = oracle()
    if direction == "min":
        good = predictor.worth
        predictor.worth = lambda arch: -good(arch)
    sign = 1.0 if direction == "max" else -1.0

    def evaluator(archs, fidelity):
        return [Scores(values={"hit": sign * s.values["hit"]}) for s in near_target(archs, fidelity)]

    levels = by_decisions(SIX, PAIRS, FILLER)
    searcher = PNAS(SIX, [Objective("hit", direction)], levels=levels, predictor=predictor, first=10, beam=5)
    trials = search(searcher, evaluator, budget=25)
    assert trials[20].scores["hit"] == 0.0, "the first of the round after the levels: every level was optimal before"


def test_it_is_ahead_of_random_search_with_a_predictor_that_is_hardly_one():
    levels = by_decisions(SIX, PAIRS, FILLER)
    ours, random = [], []
    for seed in range(4):
        searcher = PNAS(SIX, [HIT], seed=seed, levels=levels, predictor=Nearest(), first=20, beam=20)
        ours.append(max(t.scores["hit"] for t in search(searcher, near_target, budget=60)))
        random.append(max(t.scores["hit"] for t in search(RandomSearch(SIX, [HIT], seed=seed), near_target, budget=60)))
    assert np.mean(ours) > np.mean(random) + 1


def test_candidates_are_predicted_in_chunks_that_change_nothing(monkeypatch):
    levels = by_decisions(SIX, [["0", "1", "2"], ["3", "4", "5"]], FILLER)

    def run():
        predictor = oracle()
        searcher = PNAS(SIX, [HIT], levels=levels, predictor=predictor, first=10, beam=12)
        return [t.arch for t in search(searcher, near_target, budget=60)], predictor.most

    whole, most = run()
    monkeypatch.setattr(pnas, "CHUNK", 7)
    assert most > 1000 and run() == (whole, 7)


def test_too_few_that_did_not_fail_are_expanded_at_random():
    def mostly_fails(archs, fidelity):
        return [
            Scores(status="failed", error="no") if arch["0"] else scores
            for arch, scores in zip(archs, near_target(archs, ""), strict=True)
        ]

    predictor = oracle()
    levels = by_decisions(SIX, [["0"], ["1", "2"], ["3", "4", "5"]], FILLER)
    searcher = PNAS(SIX, [HIT], levels=levels, predictor=predictor, first=5, beam=6)
    trials = search(searcher, mostly_fails, budget=17)
    assert sum(t.status == "ok" for t in trials[:5]) == 1 and predictor.fits == [7]
    assert all(t.origin == "expansion" and t.arch["0"] == 0 for t in trials[5:])


def test_a_rule_of_the_space_holds_for_expansions():
    space = Where(tuple(OneOf(1, 2, 3) for _ in range(4)), lambda v: sum(v) <= 7, "sum at most 7")
    levels = by_decisions(space, [["0", "1"], ["2", "3"]], Arch({str(i): 0 for i in range(4)}))
    assert sorted(levels.first(), key=repr) == sorted((a for a in enumerate_all(space) if a["2"] == a["3"] == 0), key=repr)
    two = Arch({"0": 1, "1": 0, "2": 0, "3": 0})
    assert {(a["2"], a["3"]) for a in levels.expand(two, 2)} == {(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0)}


def test_groups_of_a_conditional_space_open_what_is_live():
    space = {"a": OneOf(OneOf("x", "y", "z"), 3), "b": OneOf(1, 2)}
    nested = next(path for path in by_paths(space) if path.startswith("a["))
    levels = by_decisions(space, [["a"], [nested, "b"]], Arch({"a": 1, "b": 1}))
    one, other = sorted(levels.first(), key=len, reverse=True)
    assert (one, other) == (Arch({"a": 0, nested: 0, "b": 1}), Arch({"a": 1, "b": 1}))
    assert len(list(levels.expand(one, 2))) == 6 and len(list(levels.expand(other, 2))) == 2


def by_paths(space):
    return {path for arch in enumerate_all(space) for path in arch}


@pytest.mark.parametrize(
    ("groups", "filler", "message"),
    [
        ([], FILLER, "at least one decision"),
        ([["0"], []], FILLER, "at least one decision"),
        ([["0"], ["9"]], FILLER, "no decision '9'"),
        ([["0"], ["1", "0"]], FILLER, "'0' is in two groups"),
        (PAIRS, Arch({"0": 1}), "not settled"),
    ],
)
def test_levels_that_do_not_fit_are_refused(groups, filler, message):
    with pytest.raises(UserError, match=message):
        by_decisions(SIX, groups, filler)


def test_empty_generations_are_refused():
    with pytest.raises(UserError, match="at least 1"):
        PNAS(SIX, [HIT], levels=by_decisions(SIX, PAIRS, FILLER), predictor=Nearest(), beam=0)


def test_decisions_that_stand_alone_are_expanded_as_all_others():
    """A rule that always holds takes the long way."""
    long = by_decisions(Where(SIX, lambda v: True, "any"), PAIRS, FILLER)
    for level in (1, 2, 3):
        assert list(by_decisions(SIX, PAIRS, FILLER).expand(TARGET, level)) == list(long.expand(TARGET, level))
        assert len(list(long.expand(TARGET, level))) == 25
