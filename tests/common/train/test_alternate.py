"""Weights and architecture in turn: gradients, warm-up, penalties, and resuming exactly after a kill."""

import signal

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.relax.gates import TwoGates
from common.relax.hypergradient import FIRST_ORDER, ONE_LEVEL, SECOND_ORDER
from common.relax.relaxation import Relaxation
from common.relax.weightings import GumbelSoftmax, Softmax
from common.run.checkpoint import Checkpoint
from common.space import ManyOf, OneOf
from common.streams import derive
from common.supernet import Supernet, choose, choose_many, opened
from common.train.alternate import Alternation
from common.train.fit import TrainingDiverged, fit
from common.train.optim import ArchSettings
from common.train.schedules import cosine
from common.train.step import Step
from tests.common.run.killing import die, forked, status
from tests.common.train.acting import Option, batch, plain

SPACE = {"first": OneOf("good", "useless", "noise"), "inputs": ManyOf((0, 1, 2), 1, 2)}
STEPS = 12


class Net(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.first, self.norm = choose(space["first"], Option), nn.BatchNorm1d(4)
        self.inputs, self.last = choose_many(space["inputs"], lambda i: nn.Linear(4, 4)), nn.Linear(4, 1)

    def forward(self, x):
        return self.last(self.inputs(self.first(self.norm(x))))


def squared(model, batch):
    x, y = batch
    return {"loss": (model(x) - y).square().mean()}


class Search:
    def __init__(self, rule=FIRST_ORDER, options=None, members=None, settings=None, steps=STEPS, **changes):
        torch.manual_seed(0)
        self.supernet = Supernet(Net(opened(SPACE)), SPACE)
        self.relaxation = Relaxation(supernet=self.supernet, options=options or Softmax(), members=members, seed=5)
        self.optimizer = torch.optim.SGD(self.supernet.module.parameters(), lr=0.01, momentum=0.9)
        self.steps = steps
        self.alternation = Alternation(
            relaxation=self.relaxation,
            model=plain(self.supernet.module, squared),
            train_batch=batch("train"),
            search_batch=batch("search"),
            rule=rule,
            settings=settings or ArchSettings(lr=0.05, weight_decay=0.0),
            weights=self.optimizer,
            steps=steps,
            seed=1,
            **changes,
        )

    def run(self, checkpoint=None, observe=None):
        return fit(
            plain(self.supernet.module, squared),
            batch_at=batch("train"),
            optimizer=self.optimizer,
            schedule=cosine(),
            steps=self.steps,
            participants=[self.alternation],
            checkpoint=checkpoint,
            save_every=4,
            observe=observe,
        )

    def bits(self):
        return [t.detach().clone() for t in (*self.supernet.module.state_dict().values(), *self.alternation.tensors().values())]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_first_step_follows_the_gradient_of_the_mixture():
    search = Search(members=Softmax())
    before = search.relaxation.logits.tensors()
    search.relaxation.mix(0, 0.0)
    values = list(search.relaxation.logits.values.values())
    torch.manual_seed(derive(1, "architecture step", 0))  # what the dropout of `noise` draws
    gradients = torch.autograd.grad(squared(search.supernet.module, batch("search")(0))["loss"], values)
    search.alternation.before(Step())
    for old, value, gradient in zip(before.values(), values, gradients, strict=True):
        assert gradient.abs().min() > 1e-6  # Adam's first step is the sign of the gradient
        assert torch.allclose(value.detach() - old, -0.05 * gradient.sign(), atol=1e-3)
    assert all(parameter.grad is None for parameter in search.supernet.module.parameters())


def test_logits_decay_as_the_settings_say():
    """A decay far above the gradients: Adam's first step is towards zero, whatever the loss says."""
    search = Search(settings=ArchSettings(lr=0.05, weight_decay=1e4))
    values = list(search.relaxation.logits.values.values())
    before = []
    with torch.no_grad():
        for value in values:
            value.copy_(torch.tensor([1.0, -1.0, 1.0])[: len(value)])
            before.append(value.clone())
    search.alternation.before(Step())
    for old, value in zip(before, values, strict=True):
        assert torch.allclose(value.detach() - old, -0.05 * old.sign(), atol=1e-3)


@pytest.mark.parametrize("rule", [FIRST_ORDER, SECOND_ORDER, ONE_LEVEL], ids=["first", "second", "one-level"])
def test_what_helps_becomes_strong(rule):
    search = Search(rule, steps=120)
    search.run()
    strengths = search.relaxation.labelled()
    assert list(strengths) == ["first"], "members are summed, without logits"
    assert max(strengths["first"], key=strengths["first"].__getitem__) == "good"
    assert sum(strengths["first"].values()) == pytest.approx(1, abs=1e-5)
    losses = {ONE_LEVEL: set(), FIRST_ORDER: {"arch_val"}, SECOND_ORDER: {"arch_val", "arch_train"}}[rule]
    assert set(search.alternation.observed) == losses | {"arch_grad_norm"}


def test_on_one_level_both_learn_from_one_sample_of_the_mixture_and_one_backward_pass():
    """SNAS: the logits' gradient is that of the very loss that the weights step on, dropout and Gumbel noise included."""
    search, passes = Search(ONE_LEVEL, GumbelSoftmax(), Softmax(), steps=1), []
    reference = Search(ONE_LEVEL, GumbelSoftmax(), Softmax(), steps=1)
    search.supernet.module.register_forward_hook(lambda *_: passes.append(True))
    torch.manual_seed(derive(0, "fit", 0, 0))  # what the dropout of `noise` draws in the weights' step
    reference.relaxation.mix(0, 0.0)
    values = list(reference.relaxation.logits.values.values())
    loss = squared(reference.supernet.module, batch("train")(0))["loss"]
    gradients = torch.autograd.grad(loss, [*values, *reference.supernet.module.parameters()], allow_unused=True)
    before = search.relaxation.logits.tensors()
    weights = [p.detach().clone() for p in search.supernet.module.parameters()]
    assert search.run()["loss"] == float(loss.detach())
    assert passes == [True]
    for old, now, gradient in zip(before.values(), search.relaxation.logits.values.values(), gradients, strict=False):
        assert gradient.abs().min() > 1e-6 and torch.allclose(now.detach() - old, -0.05 * gradient.sign(), atol=1e-3)
    for old, now, gradient in zip(weights, search.supernet.module.parameters(), gradients[len(values) :], strict=True):
        assert torch.equal(now, old if gradient is None else old - 0.01 * gradient)


def test_on_one_level_the_weights_are_trained_alone_at_first_too():
    moved = []
    Search(ONE_LEVEL, settings=ArchSettings(lr=0.05, begin=0.5, every=3), after_step=moved.append).run()
    assert moved == [6, 9]


def test_an_architecture_step_changes_neither_weights_nor_statistics():
    search = Search(SECOND_ORDER)
    search.run()
    network = [t.clone() for t in search.supernet.module.state_dict().values()]
    logits = search.relaxation.logits.tensors()
    state = torch.get_rng_state()
    search.alternation.before(Step(number=STEPS - 1, progress=1 - 1 / STEPS))
    assert same(search.supernet.module.state_dict().values(), network)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(search.relaxation.logits.values["first"], logits["first"])


def test_weights_are_trained_alone_at_first_and_the_architecture_every_so_often():
    moved = []
    settings = ArchSettings(lr=0.05, begin=0.5, every=3)
    search = Search(settings=settings, after_step=moved.append)
    search.run()
    assert moved == [6, 9]


@pytest.mark.parametrize(
    ("rule", "options", "members"),
    [
        (FIRST_ORDER, GumbelSoftmax(), Softmax(keep=0.5)),
        (SECOND_ORDER, Softmax(), None),
        (FIRST_ORDER, TwoGates(), Softmax()),
        (ONE_LEVEL, GumbelSoftmax(), Softmax()),
    ],
    ids=["gumbel", "second", "gates", "one-level"],
)
@pytest.mark.parametrize("kill_at", [2, 7])
def test_killed_and_resumed_equals_undisturbed(tmp_path, rule, options, members, kill_at):
    undisturbed = Search(rule, options, members)
    result = undisturbed.run(Checkpoint(tmp_path / "a"))

    def work():
        Search(rule, options, members).run(Checkpoint(tmp_path / "b"), lambda step, _: die() if step == kill_at else None)

    assert status(forked(work)) == -signal.SIGKILL
    resumed = Search(rule, options, members)
    torch.manual_seed(99)
    assert resumed.run(Checkpoint(tmp_path / "b")) == result
    assert same(resumed.bits(), undisturbed.bits())


def test_a_penalty_is_added_to_the_gradient():
    def penalty(probabilities, progress):
        return {"cost": 100 * probabilities["first"][0]}

    search = Search(steps=60, penalty=penalty)
    search.run()
    assert search.alternation.observed["cost"] < 10
    assert max(search.relaxation.labelled()["first"].items(), key=lambda pair: pair[1])[0] != "good"


def test_a_gradient_that_is_no_number_stops_the_search():
    search = Search(penalty=lambda probabilities, progress: {"cost": probabilities["first"][0] * float("nan")})
    with pytest.raises(TrainingDiverged, match="architecture's gradient is nan at step 0"):
        search.run()


def test_decisions_that_cannot_be_mixed_are_refused():
    space = {**SPACE, "unread": OneOf(1, 2)}
    with pytest.warns(UserWarning, match="reads decision 'unread'"):
        supernet = Supernet(Net(opened(space)), space)
    with pytest.raises(UserError, match="decision 'unread' cannot be mixed"):
        Relaxation(supernet=supernet, options=Softmax())
    single = {**SPACE, "unread": OneOf(1)}
    made = Relaxation(supernet=Supernet(Net(opened(single)), single), options=Softmax())
    assert list(made.logits.values) == ["first"]


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"betas": (0.9, 1.0)}, {"clip": 0.0}, {"every": 0}, {"begin": 1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=f"arch.{next(iter(wrong))}="):
        ArchSettings(**wrong)
