from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest

from common.errors import UserError
from common.space import Arch, OneOf, Where, decisions, decode, sample
from common.supernet import cost_bins, extreme, fair, sandwich, uniform
from common.tables import nasbench_graph
from tests.common.supernet.networks import SPACE

CHAIN = tuple(OneOf(0, 1, 2, 3) for _ in range(8))


def total(arch) -> int:
    return sum(arch.values())


@pytest.mark.parametrize("policy", [uniform, fair, sandwich])
def test_a_policy_is_a_function_of_seed_and_step(policy):
    assert [policy(SPACE, 3)(step) for step in (0, 7)] == [policy(SPACE, 3)(step) for step in (0, 7)]
    assert policy(SPACE, 3)(0) != policy(SPACE, 4)(0) or policy(SPACE, 3)(1) != policy(SPACE, 4)(1)
    for arch in policy(SPACE, 0)(5):
        decode(SPACE, arch)


def test_uniform_paths_are_uniform():
    counts = Counter(uniform(CHAIN, 0)(step)[0]["3"] for step in range(4000))
    assert all(abs(counts[i] - 1000) < 110 for i in range(4))  # 4 standard deviations


def test_fair_activates_every_option_once_a_step():
    for step in range(20):
        paths = fair(CHAIN, 1)(step)
        assert len(paths) == 4
        for name in paths[0]:
            assert sorted(path[name] for path in paths) == [0, 1, 2, 3]


def test_fair_counts_differ_by_at_most_one_where_options_are_fewer():
    space = (OneOf(0, 1, 2), OneOf(0, 1))
    paths = fair(space, 0)(0)
    assert len(paths) == 3
    assert sorted(Counter(path["1"] for path in paths).values()) == [1, 2]


@dataclass(frozen=True)
class Cell:
    kernel: OneOf


NESTED = (OneOf(Cell(OneOf(3, 5)), "skip"), OneOf(0, 1, 2, 3))
"""The kernel's decision is on every second path only."""


def test_fair_paths_of_a_conditional_space_are_as_many_each_step_and_fair_to_decisions_not_on_every_path():
    for step in range(20):
        paths = fair(NESTED, 1)(step)
        assert len(paths) == 4
        kernels = [option for path in paths for name, option in path.items() if name.endswith("kernel")]
        assert sorted(kernels) == [0, 1]


def test_fair_paths_are_one_where_nothing_is_open():
    assert fair((1, 2), 0)(0) == [Arch({})]


def test_an_end_that_breaks_a_rule_is_an_error_message():
    space = Where((OneOf(1, 2), OneOf(1, 2)), lambda value: sum(value) == 3, "the sum is three")
    with pytest.raises(UserError, match="path breaks the rule 'the sum is three' of its space; train uniform"):
        sandwich(space, 0)(0)


RULED = {
    "pairs": Where((OneOf(1, 2), OneOf(1, 2)), lambda value: sum(value) == 3, "the sum is three"),
    "latin": Where((OneOf(0, 1, 2, 3), OneOf(0, 1, 2, 3)), lambda value: value[0] != value[1], "the two differ"),
    "NAS-Bench-Graph": nasbench_graph.space(),
}


@pytest.mark.parametrize("space", RULED.values(), ids=RULED)
def test_fair_paths_keep_rules_and_stay_fair(space):
    widest = max(map(len, decisions(space).values()))
    for seed in range(4):
        policy = fair(space, seed)
        for step in range(60):
            paths = policy(step)
            assert len(paths) == widest and paths == policy(step)
            for path in paths:
                decode(space, path)
            for name, decision in decisions(space).items():
                counts = Counter(dict.fromkeys(range(len(decision)), 0))
                counts.update(path[name] for path in paths if name in path)
                spread = max(counts.values()) - min(counts.values())
                assert spread <= (2 if space is RULED["latin"] else 1), (seed, step, name, counts)


def test_the_first_path_in_a_fair_order_is_kept_where_it_keeps_the_rules():
    """Whatever a rule makes of other steps, most are those of a space without it."""
    whole = RULED["latin"].item
    same = [step for step in range(60) if fair(RULED["latin"], 1)(step) == fair(whole, 1)(step)]
    kept = [step for step in range(60) if all(path["0"] != path["1"] for path in fair(whole, 1)(step))]
    assert same == kept and kept


def test_a_rule_that_makes_fairness_impossible_gives_paths_all_the_same():
    space = Where((OneOf(0, 1, 2), OneOf(0, 1)), lambda value: value[0] > 0, "the first is not 0")
    for step in range(20):
        paths = fair(space, 0)(step)
        assert len(paths) == 3 and {path["0"] for path in paths} == {1, 2} and {path["1"] for path in paths} == {0, 1}


def test_where_no_fair_path_is_left_the_options_least_often_active_come_next():
    space = Where((OneOf(0, 1, 2, 3), OneOf(0, 1)), lambda value: value[0] > 1, "the first is 2 or more")
    for step in range(20):
        paths = fair(space, 0)(step)
        assert sorted(path["0"] for path in paths) == [2, 2, 3, 3]
        assert sorted(path["1"] for path in paths) == [0, 0, 1, 1]


def test_cost_bins_fill_every_bin_alike():
    policy = cost_bins(CHAIN, 0, total, [6, 10, 14, 18])
    counts = Counter((total(policy(step)[0]) - 6) // 4 for step in range(900))
    assert set(counts) == {0, 1, 2}
    assert all(abs(n - 300) < 60 for n in counts.values())


def test_cost_bins_take_any_path_when_a_bin_is_out_of_reach():
    assert len(cost_bins(CHAIN, 0, total, [1000, 2000], tries=5)(0)) == 1


def test_cost_bins_want_ascending_edges():
    with pytest.raises(UserError, match="ascending"):
        cost_bins(CHAIN, 0, total, [3, 2])


def test_sandwich_has_both_ends():
    big, small, *others = sandwich(SPACE, 0, randoms=3)(0)
    assert len(others) == 3
    assert (decode(SPACE, big).width, decode(SPACE, small).width) == (8, 4)
    assert len(decode(SPACE, big).deep) == 2 and len(decode(SPACE, small).deep) == 0


def test_extreme_goes_by_value_not_by_position():
    assert extreme((OneOf(8, 2, 4),), largest=True)["0"] == 0
    assert extreme((OneOf(8, 2, 4),), largest=False)["0"] == 1


def test_bins_and_sampling_stay_inside_the_space():
    rng = Random(0)
    for _ in range(20):
        decode(CHAIN, sample(CHAIN, rng))
