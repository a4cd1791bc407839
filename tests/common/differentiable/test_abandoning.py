"""Options abandoned by the scores of sub-networks: known utilities, passes, schedules, pairs, kills, costs, refusals."""

import json
import signal
from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from common.differentiable.abandoning import Abandoning
from common.differentiable.deriving import derive_arch
from common.differentiable.search import RelaxedSearch, alternation_of, dropping_of
from common.engines import Gradient
from common.engines.dropping import AbandonSettings, FreezeSettings, ShrinkSettings
from common.engines.gradient import DeriveSettings
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.paired import Outputs, Paired
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.run.folder import RunFolder
from common.space import ManyOf, OneOf
from common.stages.abandon_checks import check_abandon
from common.supernet import Supernet, choose, choose_many, opened
from common.train.optim import ArchSettings
from common.train.step import Step
from tests.common.differentiable.test_equal_cost import RANDOM, Toy, opened_run
from tests.common.differentiable.test_equal_cost import run as run_with_rivals
from tests.common.differentiable.test_search import results, run
from tests.common.differentiable.toy import TRAINING, RelaxedToy
from tests.common.run.killing import dies, forked, status
from tests.common.stages.paths_toy import ToyPhase, batch

SPACE = {name: OneOf("skip", "conv", "pool", "none") for name in "abc"} | {"many": ManyOf((1, 2, 3), 2, 2), "one": OneOf("only")}
WORTH = {"a": (0.1, 0.7, 0.0, 0.2), "b": (0.5, 0.2, 0.1, 0.4), "c": (0.0, 0.1, 0.3, 0.9)}
ENGINE = Gradient(rule="none", abandon=AbandonSettings(passes=1, items=16), snapshots=4, rivals=3)


class Net(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.ops = nn.ModuleList(choose(space[name], lambda kind: nn.Linear(4, 4)) for name in (*"abc", "one"))
        self.many = choose_many(space["many"], lambda member: nn.Linear(4, 4))

    def forward(self, x):
        for op in self.ops:
            x = op(x)
        return self.many(x)


def abandoning(steps=None, score=None, seed=0, forbidden=(), **settings):
    """On the toy space; by default with the sum of the utilities as score, and an epoch of one step."""
    given = AbandonSettings(**{"passes": 2, "items": 1} | settings)
    relaxation = Relaxation(supernet=Supernet(Net(opened(SPACE)), SPACE), options=Softmax())
    slots = relaxation.supernet.slots
    made = Abandoning(
        relaxation=relaxation,
        steps=steps or given.samples(4),
        settings=given,
        score=score or (lambda: sum(worth[slots[path].active] for path, worth in WORTH.items())),
        seed=seed,
        forbidden=forbidden,
    )
    return made, relaxation


def trained(one, steps, first=0):
    """Makes steps; gives the sub-network of each."""
    seen = []
    for number in range(first, steps):
        step = Step(number=number, progress=number / one.steps)
        (path,) = one.before(step)
        path.activate()
        seen.append({name: one.relaxation.supernet.slots[name].active for name in WORTH})
        one.after(step, {})
    return seen


@pytest.mark.parametrize("rule", ["mean", "bandit"])
def test_the_best_option_of_every_decision_is_left(rule):
    """Its utilities are large, so that the others' noise in a mean of a few sub-networks cannot hide them."""
    worth = {path: [1000.0 ** (i == max(range(4), key=values.__getitem__)) for i in range(4)] for path, values in WORTH.items()}
    one, relaxation = abandoning(passes=8, rule=rule)
    slots = relaxation.supernet.slots
    one.score = lambda: sum(values[slots[path].active] for path, values in worth.items())
    trained(one, one.steps)
    assert one.size() == 1 and {path: relaxation.live(path) for path in WORTH} == {"a": (1,), "b": (0,), "c": (3,)}


def test_the_best_option_of_one_decision_is_left_whatever_the_seed():
    for seed in range(5):
        one, relaxation = abandoning(seed=seed)
        slots = relaxation.supernet.slots
        one.score = lambda slots=slots: WORTH["c"][slots["c"].active]
        trained(one, one.steps)
        assert [lost["c"] for lost in one.rounds] == ["skip", "conv", "pool"]


def test_a_bandit_uses_some_options_more_often_and_abandons_by_upper_bounds():
    one, _ = abandoning(passes=6, rule="bandit")
    trained(one, 4 * 6 - 1)  # all but the last of the first round
    times = [credit.times for credit in one._credits.values()]
    assert any(len(set(each)) > 1 for each in times) and all(sum(each) == 23 and min(each) > 0 for each in times)
    credit = one._credits["a"]
    credit.values, credit.times = [0.50, 0.40, 0.90, 0.90], [18, 1, 2, 2]
    assert one.weakest("a") == 0, "the upper bounds are 1.09, 2.90, 2.67 and 2.67"


def test_a_pass_uses_every_option_once_and_samples_are_as_many_as_said():
    calls = []
    one, _ = abandoning(passes=3, score=lambda: calls.append(1) or 0.5)
    seen = trained(one, one.steps)
    assert len(calls) == 3 * (4 + 3 + 2) == AbandonSettings(passes=3, items=1).samples(4)
    at, left = 0, {path: set(range(4)) for path in WORTH}
    for k, lost in zip((4, 3, 2), one.rounds, strict=True):
        for _ in range(3):
            assert all({drawn[path] for drawn in seen[at : at + k]} == left[path] for path in WORTH)
            at += k
        for path in WORTH:
            left[path].remove(SPACE[path].labels.index(lost[path]))
    first, second = seen[:4], seen[4:8]
    assert first != second and len({tuple(drawn[path] for drawn in first) for path in WORTH}) > 1, "orders are drawn"


def test_epochs_are_equal_and_the_rest_trains_what_is_left():
    calls = []
    one, relaxation = abandoning(steps=50, passes=2, score=lambda: calls.append(1) or 0.5)
    seen = trained(one, 50)
    assert one.epoch == 2 and len(calls) == 18
    assert all(seen[2 * i] == seen[2 * i + 1] for i in range(18))
    assert all(drawn == {path: relaxation.live(path)[0] for path in WORTH} for drawn in seen[36:])


def test_a_sub_network_runs_one_option_of_each_decision_and_sums_the_members():
    one, relaxation = abandoning()
    (path,) = one.before(Step())
    path.activate()
    slots, module = relaxation.supernet.slots, relaxation.supernet.module
    assert all(slots[name].mixed is None for name in (*WORTH, "one"))
    x = torch.rand(2, 4)
    found = module(x)
    for op in module.ops:
        x = op.options[op.decisions[0].index()](x)
    assert torch.allclose(found, sum(member(x) for member in module.many.members))
    module(torch.rand(2, 4)).sum().backward()
    assert sum(p.grad is not None for op in module.ops for p in op.parameters()) == 2 * 4, "weight and bias of one option each"


def test_strengths_are_softmax_of_the_mean_scores_and_at_last_those_of_the_last_round():
    scores = {"a": (0.0, 3.0, 1.0, 2.0)}
    one, relaxation = abandoning(passes=2)
    slots = relaxation.supernet.slots
    one.score = lambda: scores["a"][slots["a"].active]
    trained(one, 8)
    assert relaxation.logits.values["a"].tolist() == list(scores["a"]) and relaxation.live("a") == (1, 2, 3)
    assert relaxation.strengths()["a"].tolist() == pytest.approx([0.0, *torch.tensor([3.0, 1.0, 2.0]).softmax(0).tolist()])
    trained(one, one.steps, first=8)
    e = float(torch.tensor([3.0, 2.0]).softmax(0)[0])
    assert relaxation.live("a") == (1,) and relaxation.strengths()["a"].tolist() == pytest.approx([0.0, e, 0.0, 0.0])


def test_of_equals_the_first_is_left_and_the_last_that_may_be_derived_stays():
    one, relaxation = abandoning(score=lambda: 0.0)
    trained(one, one.steps)
    assert {relaxation.live(path) for path in WORTH} == {(0,)}
    two, relaxation = abandoning(score=lambda: 0.0, forbidden=("skip", "conv", "pool"))
    trained(two, two.steps)
    assert {relaxation.live(path) for path in WORTH} == {(3,)}


def test_an_option_without_a_sample_is_not_abandoned():
    one, _ = abandoning(rule="bandit")
    for option in (0, 1, 3):
        one._credits["a"].add(option, 9.0, 0.7)
    assert one._credits["a"].values[2] == 0.0 and one.weakest("a") == 3, "the last of equals, not the one without a score"


def test_a_bandit_goes_on_with_its_values_after_a_round_and_a_mean_begins_anew():
    for rule, times in (("bandit", 8), ("mean", 0)):
        one, _ = abandoning(rule=rule)
        trained(one, 8)
        assert one.rounds and sum(one._credits["a"].times) == times and len(one.samples) == 8


def test_scores_that_are_no_numbers_end_the_search():
    one, _ = abandoning(score=lambda: float("nan"))
    with pytest.raises(UserError, match="the score of a sub-network is nan after step 0 of 18"):
        trained(one, 1)


@pytest.mark.parametrize("rule", ["mean", "bandit"])
@pytest.mark.parametrize("at", [5, 31, 36])
def test_it_goes_on_from_a_checkpoint(rule, at):
    whole, relaxation = abandoning(steps=38, rule=rule)
    wanted = trained(whole, 38)
    one, before = abandoning(steps=38, rule=rule)
    trained(one, at)
    again, after = abandoning(steps=38, rule=rule)
    after.logits.load(before.logits.tensors())
    again.load(dict(one.tensors()), json.loads(json.dumps(one.state())))
    assert trained(again, 38, first=at) == wanted[at:]
    assert again.rounds == whole.rounds and after.dropped == relaxation.dropped
    assert all(torch.equal(p, after.strengths()[path]) for path, p in relaxation.strengths().items())


@dataclass(frozen=True, kw_only=True)
class PairPhase(ToyPhase):
    def wrap(self, network, seed):
        return network

    def loss(self, model, batch, step):
        images, labels = batch
        outputs = model(images)
        return {f"{name}_loss": F.cross_entropy(scores, labels) for name, scores in outputs._asdict().items()}


@dataclass(frozen=True, kw_only=True)
class PairToy(RelaxedToy):
    """Its supernet is a pair."""

    def supernet(self, seed):
        space = opened(self.space)
        return Paired(child=self._built(space, seed), parent=self._built(space, seed + 1))

    def phases(self, kind):
        return [PairPhase(name=name, settings=self.training) for name in ("weights", "architecture")]


PARENT = replace(ENGINE, abandon=AbandonSettings(passes=1, items=16, parent=2.0))


def test_the_score_of_a_pair_is_that_of_both_networks():
    class Fixed(PairToy):
        def metrics(self, network, split, limit=None):
            assert not network.training and (split, limit) == ("val", 16)
            return {"accuracy": 0.75 if network is pair.parent else 0.5 if network is pair.child else 0.125}

    task = Fixed()
    for engine, z in ((PARENT, 1.0), (replace(PARENT, abandon=replace(PARENT.abandon, parent=0.0)), 0.5), (ENGINE, 0.125)):
        alternation = alternation_of(engine, task, 0)
        pair = alternation.relaxation.supernet.module
        assert dropping_of(engine, alternation, task).score() == z and pair.training and pair.child.training


def test_a_loss_as_objective_is_better_where_it_is_lower():
    class Loss(PairToy):
        objectives = (SimpleNamespace(name="loss", loss=lambda value: value),)

        def metrics(self, network, split, limit=None):
            return {"loss": 1.0 if network is pair.parent else 3.0}

    alternation = alternation_of(PARENT, Loss(), 0)
    pair = alternation.relaxation.supernet.module
    assert dropping_of(PARENT, alternation, Loss()).score() == 2.0 * (-1.0 + 3.0) - 3.0


def test_both_networks_of_a_pair_are_trained(tmp_path):
    run(tmp_path / "run", PARENT, PairToy())
    start = alternation_of(PARENT, PairToy(), 0).relaxation.supernet.module.state_dict()
    from safetensors.torch import load_file

    end = load_file(tmp_path / "run" / "weights" / "search.safetensors")
    changed = {name.split(".")[0] for name, value in end.items() if not torch.equal(value, start[name])}
    assert changed == {"child", "parent"} and isinstance(PairToy().supernet(0)(batch(0, items=2)[0]), Outputs)


KILLED = {
    "mean": (ENGINE, RelaxedToy()),
    "bandit": (replace(ENGINE, abandon=AbandonSettings(passes=1, items=16, rule="bandit")), RelaxedToy()),
    "parent": (PARENT, PairToy()),
}


@pytest.mark.parametrize("kind", KILLED)
def test_kills_leave_no_trace(tmp_path, kind):
    settings, task = KILLED[kind]
    whole = run(tmp_path / "whole", settings, task)

    def work():
        dies(RunFolder, "append_metrics", 2)
        run(tmp_path / "run", settings, task)

    assert status(forked(work)) == -signal.SIGKILL
    assert run(tmp_path / "run", settings, task, resume=True) == whole
    files = ("weights/search.safetensors", "strengths.json", "snapshots.json")
    found, wanted = results(tmp_path / "run"), results(tmp_path / "whole")
    assert all(found[file] == wanted[file] for file in files)


def test_two_edges_of_each_node_are_derived_by_the_strengths_that_are_left():
    """Three edges lead to the second node; the two of the largest last score are taken, `none` too where it is left."""
    alternation = alternation_of(ENGINE, RelaxedToy(training=replace(TRAINING, steps=20)), 0)
    relaxation = alternation.relaxation
    one = dropping_of(ENGINE, alternation, RelaxedToy())
    edges = [path for path in one.paths if path.startswith("nodes.1")]
    for i, path in enumerate(one.paths):
        relaxation.drop(path, (0, 1))
        relaxation.settled[path] = torch.tensor([0.0, 0.0, 0.5 + (0.1 * i if path != edges[1] else 0.0)])
    arch = derive_arch(ENGINE, relaxation).arch
    taken = RelaxedToy().space.nodes[1].subset(arch["nodes.1"])
    assert taken == (0, 2) and {arch[path] for path in edges if path in arch} == {2}


def test_what_is_said_of_a_search_is_what_it_took(tmp_path):
    """Of 12 steps two train what is left: 5 sub-networks have two steps each, or 10 of them one."""
    task = Toy()
    for name, passes in (("once", 1), ("twice", 2)):
        engine = replace(ENGINE, abandon=AbandonSettings(passes=passes, items=16))
        with opened_run(tmp_path / name, task) as context:
            stage = RelaxedSearch(settings=engine)
            with FlopCounterMode(display=False) as counter:
                result = dict(stage.run(context))
            context.folder.finish("search", result, 0.0)
            assert stage.flops(context) == counter.get_total_flops() > 0
            assert Counter(map(len, result["abandoned"])) == {5: 2}, "two rounds of five edges"


def test_a_damaged_result_is_told(tmp_path):
    with opened_run(tmp_path / "run", Toy()) as context:
        stage = RelaxedSearch(settings=ENGINE)
        result = dict(stage.run(context))
        context.folder.finish("search", {**result, "abandoned": result["abandoned"][:1]}, 0.0)
        with pytest.raises(UserError, match=r"stages\.jsonl: in the result of the search abandoned is .*; restore it"):
            stage.flops(context)


def test_rivals_take_as_many_operations(tmp_path):
    result, trials = run_with_rivals(tmp_path / "run", engine=ENGINE)
    assert RANDOM == "random search" and result["trials"] == len(trials) >= 3
    assert 0.99 < result["flops"]["random"] / result["flops"]["search"] <= 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: AbandonSettings(passes=0), "abandon.passes=0: give 1 or more"),
        (lambda: AbandonSettings(items=0), "abandon.items=0: give 1 or more"),
        (lambda: AbandonSettings(rule="bandit", keep=0.0), r"abandon\.keep=0\.0: give a number above 0 and at most 1"),
        (lambda: AbandonSettings(keep=0.5), "keep=0.5 with rule=mean: it weighs the scores of bandit; leave it 0.7"),
        (lambda: AbandonSettings(parent=float("nan")), "abandon.parent=nan: give a number, 2 say, or null"),
        (lambda: Gradient(rule="none"), "rule=none: nothing decides between options; give search.engine.abandon"),
        (
            lambda: replace(ENGINE, rule="first-order"),
            "abandon with rule=first-order: the scores .*; set search.engine.rule=none",
        ),
        (lambda: replace(ENGINE, shrink=ShrinkSettings(at=(0.5,), keep=(2,))), "project and abandon are ways to drop options"),
        (lambda: replace(ENGINE, balance=2.0), "balance with rule=none"),
        (lambda: replace(ENGINE, exact=True), "exact with rule=none"),
        *(
            (
                lambda name=name, value=value: replace(ENGINE, **{name: value}),
                rf"search\.engine\.{name} with abandon: .*; set .*={to}",
            )
            for name, value, to in (
                ("options", WeightingSettings(kind="sigmoid"), '{"kind":"softmax"}'),
                ("members", WeightingSettings(), "null"),
                ("reward", "accuracy", "null"),
                ("radius", 0.3, "0"),
                ("arch", ArchSettings(lr=0.5), "{}"),
                ("start", 0.5, "0"),
                ("std", 0.0, "1e-3"),
                ("recompute", True, "false"),
                ("threshold", 0.5, "null"),
                ("cap", 2, "null"),
                ("derive", DeriveSettings(), "null"),
                ("freeze", FreezeSettings(), "null"),
                ("scored", 16, "0"),
                ("stop", "ranks", "never"),
                ("entropy", 0.1, "0"),
                ("zero_one", 1.0, "0"),
                ("cost", "dual", "filter"),
            )
        ),
    ],
)
def test_settings_that_do_nothing_are_refused(make, says):
    with pytest.raises(UserError, match=says):
        make()


def test_schedules_spaces_and_networks_are_refused_before_work_begins():
    toy, passes = RelaxedToy(), AbandonSettings(passes=3, items=1)
    check_abandon(passes, toy, 15)
    with pytest.raises(UserError, match=r"15 sub-networks are trained, passes \* \(2 \+ ... \+ 3\), and the search has 14 steps"):
        check_abandon(passes, toy, 14)
    uneven = SimpleNamespace(space={"a": OneOf(1, 2, 3), "b": OneOf(1, 2), "c": OneOf(1)})
    with pytest.raises(UserError, match="decision 'a' has 3 options and 'b' has 2; every decision loses one option in a round"):
        check_abandon(passes, uneven, 1000)
    with pytest.raises(
        UserError, match=r"parent=2: the supernet of this system is no pair.*; set search\.engine\.abandon\.parent"
    ):
        check_abandon(replace(passes, parent=2.0), toy, 15)
    check_abandon(replace(passes, parent=2.0), PairToy(), 15)
    with pytest.raises(UserError, match="18 sub-networks are trained in 17 steps; give 18"):
        abandoning(steps=17)
