"""DARTS-PT's projection and OLES's frozen options: closed forms, schedules, kills, what they refuse."""

import signal
from dataclasses import replace

import pytest
import torch
from torch import nn

from common.arch import from_labels
from common.differentiable.freezing import Freezing
from common.differentiable.projecting import Projecting
from common.engines import Gradient
from common.engines.dropping import FreezeSettings, GrowSettings, ProjectSettings
from common.errors import UserError
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.run.folder import RunFolder
from common.space import ManyOf, OneOf, decisions
from common.supernet import Mixed, Supernet, choose, choose_many, opened
from common.train.step import Step
from tests.common.differentiable.test_search import SEARCH, results, run
from tests.common.differentiable.toy import RelaxedToy
from tests.common.run.killing import dies, forked, status

SPACE = {"a": OneOf("skip", "conv", "none"), "b": OneOf("skip", "conv", "none"), "many": ManyOf((1, 2, 3), 2, 2)}


class Net(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.a, self.b = (choose(space[name], lambda kind: nn.Linear(4, 4)) for name in "ab")
        self.many = choose_many(space["many"], lambda member: nn.Linear(4, 4))

    def forward(self, x):
        return self.many(self.b(self.a(x)))


def projecting(score=lambda: 0.0, begin=0.5, steps=20, seed=0, **settings):
    relaxation = Relaxation(supernet=Supernet(Net(opened(SPACE)), SPACE), options=Softmax())
    project = ProjectSettings(begin=begin, items=1)
    made = Projecting(relaxation=relaxation, steps=steps, settings=project, score=score, seed=seed, **settings)
    return made, relaxation


@pytest.mark.parametrize(("begin", "steps"), [(0.5, [10, 14, 17]), (0.0, [0, 7, 14]), (0.85, [17, 18, 19])])
def test_decisions_are_settled_at_equal_distances_and_inputs_last(begin, steps):
    one, _ = projecting(begin=begin)
    assert [next(n for n in range(21) if one.due(n) == k) for k in (1, 2, 3)] == steps
    for number in range(20):
        one.after(Step(number=number), {})
        assert len(one.settled) == one.due(number + 1)
    assert one.finished() and one.settled[-1] == "many" and set(one.settled) == {"a", "b", "many"}


def test_the_order_is_a_draw():
    assert {tuple(projecting(seed=seed)[0]._order) for seed in range(8)} == {("a", "b", "many"), ("b", "a", "many")}


def test_what_is_missed_most_is_kept_whatever_its_strength():
    """Without `conv` the network is bad, without `skip` it is worse than with all; members 1 and 3 matter."""
    worth = {"a": (0.1, 0.7, 0.0), "b": (0.5, 0.2, 0.9), "many": (0.4, 0.1, 0.3)}
    one, relaxation = projecting(
        lambda: sum(w for path, ws in worth.items() for i, w in enumerate(ws) if i not in relaxation.live(path)),
        forbidden=("none",),
    )
    with torch.no_grad():
        relaxation.logits.values["a"].copy_(torch.tensor([9.0, 0.0, 0.0]))
    for number in range(20):
        one.after(Step(number=number), {})
    assert {path: relaxation.live(path) for path in SPACE} == {"a": (1,), "b": (0,), "many": (0, 2)}
    arch = one.left()
    assert (arch["a"], arch["b"], arch["many"]) == (1, 0, SPACE["many"].rank((0, 2)))


def test_equals_are_settled_in_order_and_what_has_no_choice_is_not_scored():
    calls = []
    one, relaxation = projecting(lambda: calls.append(1) or 0.0, forbidden=("none",))
    relaxation.drop("a", (1,))
    planned = one.scorings()
    for number in range(20):
        one.after(Step(number=number), {})
    assert planned == len(calls)
    assert {path: relaxation.live(path) for path in SPACE} == {"a": (0,), "b": (0,), "many": (0, 1)}
    assert len(calls) == 2 + 3, "b's two options and three members; a had one left"


def test_projection_goes_on_from_a_checkpoint():
    one, relaxation = projecting()
    for number in range(14):
        one.after(Step(number=number), {})
    again, other = projecting()
    again.load({}, one.state())
    assert again.settled == one.settled and other.dropped == relaxation.dropped
    again.after(Step(number=14), {})
    assert again.settled == one.settled


class Two(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.op = choose(space["op"], lambda kind: nn.Linear(4, 4, bias=False) if kind != "skip" else nn.Identity())

    def forward(self, x):
        return self.op(x)


def freezing(agree, every=3, threshold=0.4):
    """The training loss is the sum of the outputs; the validation loss is that, or minus that."""
    space = {"op": OneOf("skip", "one", "other")}
    net = Supernet(Two(opened(space)), space)
    net.relax({"op": Mixed(torch.tensor([0.2, 0.3, 0.5]))})
    x = torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    settings = FreezeSettings(every=every, threshold=threshold)
    made = Freezing(settings=settings, supernet=net.module, loss=lambda step: agree * net.module(x).sum())

    def step(number):
        net.module.zero_grad()
        net.module(x).sum().backward()
        made.after(Step(number=number), {})

    return made, net, step


@pytest.mark.parametrize(("agree", "frozen"), [(-1.0, ["op.options.1", "op.options.2"]), (2.0, [])])
def test_options_whose_gradients_disagree_stop_to_learn(agree, frozen):
    made, net, step = freezing(agree)
    for number in range(2):
        step(number)
    assert made.frozen == []
    step(2)
    assert made.frozen == frozen
    assert all(p.requires_grad != bool(frozen) for p in net.module.parameters())
    for number in range(3, 7):
        step(number) if not frozen else made.after(Step(number=number), {})
    assert made.frozen == frozen


def test_the_mean_of_an_interval_decides_and_begins_anew():
    made, _, step = freezing(1.0, every=2, threshold=0.1)
    cosines = iter([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])  # means 0, 1 and -1
    loss = made.loss
    made.loss = lambda s: next(cosines) * loss(s)
    made.settings = FreezeSettings(every=2, threshold=-0.1)
    for number in range(4):
        step(number)
    assert made.frozen == [] and made._counts == {"op.options.1": 0, "op.options.2": 0}
    step(4)
    step(5)
    assert made.frozen == ["op.options.1", "op.options.2"], "what went before does not count"


def test_options_that_were_not_trained_are_not_judged():
    made, net, _ = freezing(-1.0, every=1)
    net.relax({"op": Mixed(torch.tensor([0.2, 0.3, 0.5]), (0, 2))})
    net.module(torch.rand(5, 4)).sum().backward()
    made.after(Step(number=0), {})
    assert made.frozen == ["op.options.2"]


def test_freezing_goes_on_from_a_checkpoint():
    made, _, step = freezing(-1.0, every=2)
    step(0)
    again, _, more = freezing(-1.0, every=2)
    again.load({}, made.state())
    more(1)
    step(1)
    assert again.frozen == made.frozen == ["op.options.1", "op.options.2"]
    last, net, _ = freezing(-1.0)
    last.load({}, made.state())
    assert last.frozen == made.frozen and not any(p.requires_grad for p in net.module.parameters())


def test_what_options_share_goes_on_to_learn():
    """Kernels of one edge have one normalisation behind them (MergeNAS): it belongs to none of them."""
    space = {"op": OneOf("one", "other")}
    shared = nn.Linear(4, 4)
    op = choose(opened(space)["op"], lambda kind: nn.Sequential(nn.Linear(4, 4), shared))
    net = nn.ModuleDict({"op": op})
    made = Freezing(settings=FreezeSettings(every=1), supernet=net, loss=lambda step: torch.zeros(()))
    made.load({}, {"frozen": ["op.options.0"], "sums": {}, "counts": {}})
    assert not any(p.requires_grad for p in op.options[0][0].parameters())
    assert all(p.requires_grad for p in shared.parameters()) and all(p.requires_grad for p in op.options[1].parameters())


PROJECT = replace(SEARCH, project=ProjectSettings(begin=0.25, items=16))
FREEZE = replace(SEARCH, freeze=FreezeSettings(every=2, threshold=0.9))


@pytest.mark.parametrize("settings", [PROJECT, FREEZE], ids=["project", "freeze"])
def test_kills_leave_no_trace(tmp_path, settings):
    whole = run(tmp_path / "whole", settings)

    def work():
        dies(RunFolder, "append_metrics", 2)
        run(tmp_path / "run", settings)

    assert status(forked(work)) == -signal.SIGKILL
    assert run(tmp_path / "run", settings, resume=True) == whole
    files = ("weights/search.safetensors", "strengths.json", "snapshots.json")
    found, wanted = results(tmp_path / "run"), results(tmp_path / "whole")
    assert all(found[file] == wanted[file] for file in files)
    assert whole != run(tmp_path / "plain", SEARCH), "it changes the search"


def test_what_is_projected_is_what_is_found(tmp_path):
    result = run(tmp_path / "run", PROJECT)
    arch = from_labels(RelaxedToy().space, result["arch"], "result")
    last = results(tmp_path / "run")["metrics"][-1]["values"]
    edges = [path for path in decisions(RelaxedToy().space) if path.endswith("operation")]
    assert last["options"] == len(edges), "one option of each operation is left"
    assert set(arch) <= set(decisions(RelaxedToy().space)) and "none" not in result["arch"].values()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ProjectSettings(begin=1.0), r"project\.begin=1\.0: give a share from 0 to below 1"),
        (lambda: ProjectSettings(items=0), "project.items=0: give 1 or more"),
        (lambda: FreezeSettings(every=0), "freeze.every=0: give 1 or more"),
        (lambda: FreezeSettings(threshold=1.5), r"freeze\.threshold=1\.5: a cosine; give a number above -1 and at most 1"),
        (
            lambda: Gradient(project=ProjectSettings(), grow=(GrowSettings(keep=2), GrowSettings(keep=1))),
            "ways to drop options; give one",
        ),
        (lambda: Gradient(project=ProjectSettings(), stop="skips"), "stop=skips with project: decisions would be left open"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, says):
    with pytest.raises(UserError, match=says):
        make()
