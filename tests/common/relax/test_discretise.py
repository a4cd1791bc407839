"""One rule from strengths to architectures, and the strongest architecture within a constraint."""

from math import exp, log
from random import Random

import pytest
import torch
from torch import Tensor, nn

from common.cost.bounds import cheapest
from common.cost.price import Price
from common.errors import UserError
from common.relax.budget import Budget, Guided
from common.relax.discretise import discretise, discretise_within
from common.relax.ranked import Bound
from common.relax.scores import ranking
from common.space import Arch, ManyOf, OneOf, Repeat, decisions, decode, enumerate_all, label
from common.supernet import choose, opened
from tests.common.cost import cells
from tests.common.cost.test_expected import TOYS, price_of
from tests.common.cost.test_price import PICKY, Picky


def random_strengths(space, seed=0, members=True) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {
        path: torch.softmax(2 * torch.randn(len(d.options), generator=rng, dtype=torch.float64), 0)
        for path, d in decisions(space).items()
        if members or isinstance(d, OneOf)
    }


def score(space, strengths, arch: Arch) -> float:
    """By hand, for spaces without subsets of variable size."""
    known, total = decisions(space), 0.0
    for path, option in arch.items():
        decision, w = known[path], strengths[path]
        if isinstance(decision, ManyOf):
            total += sum(log(w[i]) for i in decision.subset(option))
        else:
            enclosing = [p for p in known if path.startswith(f"{p}[") and isinstance(known[p], OneOf)]
            hangs = bool(enclosing) or (path[-1] != "t" and "blocks" in path and int(path.split(".")[1]) >= 1)
            total += log(w[option]) - (log(max(w)) if hangs else 0)
    return total


@pytest.mark.parametrize("members", [False, True], ids=["darts", "pc-darts"])
def test_two_strongest_edges_by_their_strongest_operation_but_none(members):
    space = cells.cell_space(4)
    strengths = random_strengths(space, 3, members)
    arch = discretise(space, strengths, {"none"})
    names = ("none", "skip", "conv1", "conv3")
    for n in range(4):
        ops = [strengths[f"nodes.{n}[Edge(source={i})].op"] for i in range(n + 2)]
        own = strengths[f"nodes.{n}"] if members else torch.ones(n + 2)
        order = sorted(range(n + 2), key=lambda i: -float(own[i] * ops[i][1:].max()))
        taken = decode(space, arch).nodes[n]
        assert [edge.source for edge in taken] == sorted(order[:2])
        assert [edge.op for edge in taken] == [names[1 + int(ops[edge.source][1:].argmax())] for edge in taken]


def test_gates_above_a_threshold():
    space = cells.cell_space(3, ("skip", "conv1", "conv3"), low=0, high=2)
    gates = {path: torch.full((3,), 0.2) for path in decisions(space) if path.endswith("op")}
    for path, values in {
        "nodes.1[Edge(source=1)].op": [0.1, 0.9, 0.86],
        "nodes.2[Edge(source=0)].op": [0.86, 0.1, 0.1],
        "nodes.2[Edge(source=1)].op": [0.1, 0.99, 0.1],
        "nodes.2[Edge(source=3)].op": [0.1, 0.1, 0.9],
    }.items():
        gates[path] = torch.tensor(values)
    found = decode(space, discretise(space, gates, threshold=0.85)).nodes
    assert [[(edge.source, edge.op) for edge in node] for node in found] == [[], [(1, "conv1")], [(1, "conv1"), (3, "conv3")]]
    at_least_one = cells.cell_space(3, ("skip", "conv1", "conv3"), low=1, high=2)
    assert [len(node) for node in decode(at_least_one, discretise(at_least_one, gates, threshold=0.85)).nodes] == [1, 1, 2]
    assert [len(node) for node in decode(at_least_one, discretise(at_least_one, gates)).nodes] == [2, 2, 2]


def test_the_threshold_itself_is_not_above_it():
    space = ManyOf([OneOf("a", "b"), OneOf("a", "b")], 0, 2)
    gates = {path: [0.5, 0.25] for path in decisions(space) if path}
    assert discretise(space, gates, threshold=0.5)[""] == 0


def test_equals_are_taken_in_order():
    space = cells.cell_space(2)
    uniform = {path: torch.full((len(d.options),), 1 / len(d.options)) for path, d in decisions(space).items()}
    taken = decode(space, discretise(space, uniform, {"none"})).nodes
    assert [[edge.source for edge in node] for node in taken] == [[0, 1], [0, 1]]
    assert {edge.op for node in taken for edge in node} == {"skip"}


def test_any_nesting():
    space = {
        "top": OneOf((OneOf("a", "b"), OneOf("c", "d")), "plain"),
        "depth": Repeat(OneOf("x", "y"), OneOf(1, 2, 3)),
        "many": ManyOf([OneOf("x", "y"), ManyOf([OneOf("x", "y"), "z"], 1, 1), "w"], 1, 1),
    }
    strengths = random_strengths(space, 1)
    strengths["top"] = torch.tensor([0.6, 0.4])  # by its own strength, though nothing inside is as sure as `plain`
    strengths["top[(OneOf, OneOf)].0"] = torch.tensor([0.45, 0.55])
    strengths["depth.count"] = torch.tensor([0.2, 0.3, 0.5])
    arch = discretise(space, strengths)
    settled = decode(space, arch)
    assert settled["top"][0] == "b" and len(settled["depth"]) == 3
    for i in range(3):
        assert settled["depth"][i] == "xy"[int(strengths[f"depth.{i}"].argmax())]
    inner = "many[ManyOf(low=1, high=1)]"
    own = strengths["many"]
    within = strengths[inner]
    xy = next(path for path in strengths if path.startswith(f"{inner}["))
    members = [
        float(own[0] * strengths["many[OneOf]"].max()),
        float(own[1] * max(within[0] * strengths[xy].max(), within[1])),
        float(own[2]),
    ]
    assert arch["many"] == members.index(max(members))


@pytest.mark.parametrize("toy", [toy for toy in TOYS if "none to two" not in toy])
def test_within_a_budget_it_is_the_best_by_brute_force(toy):
    price = price_of(toy)
    space = price.space
    archs = list(enumerate_all(space))
    costs = {arch: price.value(arch, "macs") for arch in archs}
    rng = Random(toy)
    for seed in range(4):
        strengths = random_strengths(space, seed)
        scores = {arch: score(space, strengths, arch) for arch in archs}
        assert scores[discretise(space, strengths)] == pytest.approx(max(scores.values()), abs=1e-9)
        for _ in range(4):
            upper = rng.choice(list(costs.values()))
            found = discretise_within(space, strengths, Budget(price, "macs", upper))
            assert costs[found.arch] <= upper
            best = max(value for arch, value in scores.items() if costs[arch] <= upper)
            assert found.proven
            assert scores[found.arch] == pytest.approx(best, abs=1e-8)
            same = discretise_within(space, strengths, lambda arch, upper=upper: costs[arch] <= upper, most=len(archs) + 1)
            assert same.proven and scores[same.arch] == pytest.approx(best, abs=1e-8)


def test_subsets_of_variable_size_shrink_to_keep_a_budget():
    price = price_of("none to two of the inputs")
    strengths = random_strengths(price.space, 2)
    free = discretise(price.space, strengths)
    assert all(len(node) == 2 for node in decode(price.space, free).nodes)
    ranks = ranking(price.space, strengths)
    for upper in (price.value(free, "params"), 83, 1):
        found = discretise_within(price.space, strengths, Budget(price, "params", upper))
        archs = [arch for arch in enumerate_all(price.space) if price.value(arch, "params") <= upper]
        best = max(sum(ranks.scores[path][option] for path, option in arch.items()) for arch in archs)
        assert found.proven and found.score == pytest.approx(best, abs=1e-8)
        assert (found.arch == free) == (upper == price.value(free, "params"))


def test_it_stays_feasible_and_says_so_when_it_gives_up():
    space = cells.cell_space(3)
    price = cells.price_of(space)
    strengths = random_strengths(space, 5)
    low, high = cheapest(price, "macs").value, price.value(discretise(space, strengths, {"none"}), "macs")
    for part in (0.1, 0.5, 0.9):
        budget = Budget(price, "macs", low + part * (high - low))
        hurried = discretise_within(space, strengths, budget, {"none"}, most=1)
        patient = discretise_within(space, strengths, budget, {"none"})
        assert patient.proven and budget(patient.arch) and budget(hurried.arch)
        assert hurried.score <= patient.score + 1e-9
        assert not hurried.proven or hurried.score == pytest.approx(patient.score)
        known = decisions(space)
        assert "none" not in {label(known[path], option) for path, option in patient.arch.items()}


def test_rules_of_the_space_are_kept():
    price = Price(Picky(opened(PICKY)), (torch.zeros(1, 3, 9, 9),), PICKY)
    strengths = {path: torch.ones(len(d.options)) / len(d.options) for path, d in decisions(PICKY).items()}
    strengths["width"] = torch.tensor([0.9, 0.1])
    strengths["then"] = torch.tensor([0.3, 0.6, 0.1])
    with pytest.raises(UserError, match="a bottle takes width 6"):
        discretise(PICKY, strengths)
    found = discretise_within(PICKY, strengths, lambda arch: True)
    assert found.arch == Arch({"width": 0, "then": 0}) and found.proven
    upper = price.value(found.arch, "macs")
    assert discretise_within(PICKY, strengths, Budget(price, "macs", upper)).arch == found.arch
    cheaper = discretise_within(PICKY, strengths, Budget(price, "macs", upper - 1))
    assert price.value(cheaper.arch, "macs") < upper
    decode(PICKY, cheaper.arch)


def test_nothing_feasible():
    space = cells.cell_space(2)
    price = cells.price_of(space)
    strengths = random_strengths(space)
    archs = list(enumerate_all(space))
    without = [arch for arch in archs if not {"none", "skip"} & {label(price.decisions[p], o) for p, o in arch.items()}]
    least = min(price.value(arch, "macs") for arch in without)
    assert discretise_within(space, strengths, Budget(price, "macs", least), {"none", "skip"}).proven
    with pytest.raises(UserError, match=f"architecture without none, skip costs {least:,} macs; raise"):
        discretise_within(space, strengths, Budget(price, "macs", least - 1), {"none", "skip"})
    with pytest.raises(UserError, match="no architecture of the space"):
        discretise_within(space, strengths, lambda arch: False, most=10**6)
    with pytest.raises(UserError, match="none of the 10 strongest"):
        discretise_within(space, strengths, lambda arch: False, most=10)


def test_the_cheapest_architecture_is_known_at_the_second_look_also_beside_equals():
    space = {"kernel": OneOf(1, 3), "act": OneOf("relu", "tanh", "gelu")}
    acts = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}

    def build(net):
        spatial = choose(net["kernel"], lambda k: nn.Conv2d(2, 2, k, padding=k // 2))
        return nn.Sequential(nn.Conv2d(3, 2, 1), spatial, choose(net["act"], lambda act: acts[act]()))

    price = Price(build(opened(space)), (torch.zeros(1, 3, 4, 4),), space)
    least = cheapest(price, "macs").value
    for most in (1, 2):
        for forbidden in ((), lambda path, label: False):
            with pytest.raises(UserError, match=f"is impossible: the cheapest architecture costs {least} macs; raise"):
                discretise_within(space, random_strengths(space), Budget(price, "macs", least - 1), forbidden, most=most)
    with pytest.raises(UserError, match="no valid architecture was found among the 0 cheapest"):
        discretise_within(space, random_strengths(space), Budget(price, "macs", least - 1), most=0)


def test_what_one_multiplier_gives_is_proven_at_the_second_look():
    """Architectures that are the best for some price of the cost, with exactly what they cost as budget."""
    price = price_of("chain")
    strengths = random_strengths(price.space, 1)
    costs = {arch: price.value(arch, "macs") for arch in enumerate_all(price.space)}
    scores = {arch: score(price.space, strengths, arch) for arch in costs}
    for mu in (3e-5, 1e-4, 3e-4):
        arch = max(costs, key=lambda arch: scores[arch] - mu * costs[arch])
        found = discretise_within(price.space, strengths, Budget(price, "macs", costs[arch]), most=1)
        assert found.arch == arch and found.proven


def test_a_long_chain_of_searchable_depth():
    """8^20 architectures in one tree: only what is looked at is made."""
    space = Repeat(OneOf(*range(8)), OneOf(10, 20))
    strengths = random_strengths(space, 4)
    found = discretise_within(space, strengths, lambda arch: sum(arch.values()) % 7 == 3)
    assert found.proven and sum(found.arch.values()) % 7 == 3


def test_bad_input():
    space = cells.cell_space(1)
    good = random_strengths(space)
    op = next(path for path in good if path.endswith("op"))
    for wrong, text in [
        ({p: w for p, w in good.items() if p != op}, "no strengths"),
        ({**good, "odd": torch.ones(2)}, "odd.*no such decision"),
        ({**good, op: torch.ones(3)}, "3 strengths for 4 options"),
        ({**good, op: torch.tensor([1, -1, 0, 0])}, "strength of skip is -1"),
        ({**good, op: torch.tensor([1, float("nan"), 0, 0])}, "strength of skip is nan"),
    ]:
        with pytest.raises(UserError, match=text):
            discretise(space, wrong)
    assert discretise((OneOf("only"), OneOf("a", "b")), {"1": [1, 2]}) == Arch({"0": 0, "1": 1})
    with pytest.raises(UserError, match="'1' has no strengths; give one for each of its 2 options"):
        discretise((OneOf("only"), OneOf("a", "b")), {})
    with pytest.raises(UserError, match="forbidden option 'zero'"):
        discretise(space, good, {"zero"})
    with pytest.raises(UserError, match=r"nodes\.0.*every option is forbidden"):
        discretise(space, good, lambda path, _: path == op)
    with pytest.raises(UserError, match="threshold 0"):
        discretise(space, good, threshold=0)
    with pytest.raises(UserError, match="from 0 on"):
        Budget(cells.price_of(space), "macs", -1)


def test_a_guide_leads_to_what_no_table_prices():
    space = cells.cell_space(3)
    price = cells.price_of(space)
    strengths = random_strengths(space, 5)
    low, high = cheapest(price, "macs").value, price.value(discretise(space, strengths, {"none"}), "macs")
    for part in (0.1, 0.5, 0.9, 1.0):
        budget = Budget(price, "macs", low + part * (high - low))
        found = discretise_within(space, strengths, Guided(budget, budget.bounds()[1]), {"none"})
        best = discretise_within(space, strengths, budget, {"none"})
        assert budget(found.arch) and found.score <= best.score + 1e-9 and (found.proven or part < 1)
    with pytest.raises(UserError, match="no architecture was found that is feasible; loosen"):
        discretise_within(space, strengths, Guided(lambda arch: False, budget.bounds()[1]), {"none"})


def test_members_count_relative_to_the_weakest_with_what_is_decided_inside():
    """0.5 and 0.6 inside are 0.3, so that "c" with 0.2 is the weakest: the score is that of 0.5 / 0.2, of 0.6, and of 1."""
    space = ManyOf([OneOf("a", "b"), "c"], 0, 2)
    (inside,) = (path for path in decisions(space) if path)
    found = discretise_within(space, {"": [0.5, 0.2], inside: [0.6, 0.4]}, lambda arch: True)
    assert decode(space, found.arch) == ("a", "c") and found.score == pytest.approx(log(0.5 / 0.2 * 0.6))


@pytest.mark.parametrize(("seed", "spread"), [(0, 5.0), (1, 5.0), (8, 5.0), (16, 5.0), (0, 5e-4), (1, 5e-4)])
def test_a_guide_is_followed_as_far_as_needed_whatever_its_unit(seed, spread):
    """Where costs add up, what is best at a price of a unit is known; of those that are feasible, none is better.

    The first price that is tried is too low where the strengths are far apart, and too high where they are close. A decision
    between equals leaves nothing to improve.
    """
    rng, n = Random(seed), 12
    strengths = {str(i): [exp(gain) for gain in sorted(-spread * rng.random() for _ in range(4))] for i in range(n)}
    costs = {path: [0, *sorted(rng.randint(1, 20) for _ in range(3))] for path in strengths}
    strengths[str(n)], costs[str(n)] = [1.0] * 4, [0] * 4
    most = 0.4 * sum(cost[-1] for cost in costs.values())

    def spent(arch: Arch) -> float:
        return sum(costs[path][option] for path, option in arch.items())

    def best_at(mu: float) -> Arch:
        return Arch({path: max(range(4), key=lambda i: log(w[i]) - mu * costs[path][i]) for path, w in strengths.items()})

    at_prices = [arch for arch in (best_at(spread / 5000 * 1.03**i) for i in range(300)) if spent(arch) <= most]
    best = max(sum(log(strengths[path][option]) for path, option in arch.items()) for arch in at_prices)
    space = tuple(OneOf(0, 1, 2, 3) for _ in range(n + 1))
    for unit in (1.0, 2.0**20, 2.0**-12):
        guide = [Bound((path,), (path,), {(i,): unit * c for i, c in enumerate(cost)}) for path, cost in costs.items()]
        found = discretise_within(space, strengths, Guided(lambda arch: spent(arch) <= most, guide))
        assert spent(found.arch) <= most and not found.proven and found.score >= best - 1e-9
