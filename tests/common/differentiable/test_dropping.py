"""Options that leave a search while it runs: DA-NAS's shrinking, GOLD-NAS's pruning, P-DARTS's searches in a row."""

import signal

import pytest
import torch
from torch import nn

from common.cost.price import Price
from common.differentiable.deriving import derive_arch
from common.differentiable.dropping import Pruning, Shrinking, keep_strongest
from common.engines import Gradient
from common.engines.dropping import GrowSettings, PruneSettings, ShrinkSettings
from common.errors import UserError
from common.relax.hypergradient import ONE_LEVEL
from common.relax.relaxation import Relaxation
from common.relax.weightings import Sigmoid
from common.run.checkpoint import Checkpoint
from common.space import ManyOf, Where
from common.supernet import Supernet, choose_many, opened
from common.train.alternate import Alternation
from common.train.fit import fit
from common.train.optim import ArchSettings
from common.train.step import Step
from tests.common.differentiable.test_deriving import edges
from tests.common.run.killing import die, forked, status
from tests.common.train.acting import plain

GATED = {"first": ManyOf((1, 2, 3), 0, 3), "second": ManyOf((1, 2), 0, 2)}
STEPS = 120


def nothing(x):
    return torch.zeros_like(x)


class Net(nn.Module):
    """Members of which the larger ones cost more."""

    def __init__(self, space):
        super().__init__()
        self.parts = nn.ModuleList(
            choose_many(space[name], lambda n: nn.Sequential(*(nn.Linear(4, 4) for _ in range(n))), nothing)
            for name in ("first", "second")
        )
        self.last = nn.Linear(4, 1)

    def forward(self, x):
        for part in self.parts:
            x = x + part(x)
        return self.last(x)


class Search:
    """A search of gates whose loss does not depend on them, or which needs the member 3 of `first`."""

    def __init__(self, needs=False, **settings):
        torch.manual_seed(0)
        self.relaxation = Relaxation(
            supernet=Supernet(Net(opened(GATED)), GATED), options=Sigmoid(), members=Sigmoid(), seed=1, std=0.0
        )
        net = self.relaxation.supernet.module
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        price = Price(Net(opened(GATED)), (torch.zeros(1, 4),), GATED)
        prune = PruneSettings(**{"every": 4, "most": 1, "price": 0.05, **settings})
        self.pruning = Pruning(relaxation=self.relaxation, steps=STEPS, settings=prune, price=price)
        self.alternation = Alternation(
            relaxation=self.relaxation,
            model=plain(net, self.loss),
            train_batch=lambda step: torch.ones(2, 4),
            search_batch=lambda step: torch.ones(2, 4),
            rule=ONE_LEVEL,
            settings=ArchSettings(lr=0.2, weight_decay=0.0),
            weights=self.optimizer,
            steps=STEPS,
            seed=0,
            penalty=self.pruning.penalty,
        )
        self.needs, self.gates, self.left = needs, [], []

    def loss(self, net, batch):
        if self.needs:
            return {"loss": 100 * (1 - self.relaxation.probabilities()["first"][2]) + 0 * net(batch).sum()}
        return {"loss": 0 * net(batch).sum()}

    def run(self, checkpoint=None, kill_at=None):
        def observe(step, values):
            if step == kill_at:
                die()
            self.gates.append(torch.cat([*self.relaxation.strengths().values()]))
            self.left.append(self.pruning.options())

        return fit(
            self.alternation.model,
            batch_at=lambda step: torch.ones(2, 4),
            optimizer=self.optimizer,
            schedule=lambda fraction: 1.0,
            steps=STEPS,
            participants=[self.alternation, self.pruning],
            checkpoint=checkpoint,
            save_every=10,
            observe=observe,
        )


def test_gates_that_the_loss_does_not_need_close_and_stay_closed():
    search = Search()
    search.run()
    assert search.left == sorted(search.left, reverse=True) and search.left[-1] == 0
    for before, after in zip(search.gates, search.gates[1:], strict=False):
        assert torch.all(after <= before + 1e-6)
        assert torch.all(after[before == 0] == 0), "what is dropped never returns"
    macs = [row["macs"] for row in search.pruning.sequence]
    assert macs == sorted(macs, reverse=True) and len(macs) == 5
    assert search.pruning.sequence[-1]["arch"] == {"first": "{}", "second": "{}"}


def test_the_largest_network_of_the_sequence_that_keeps_a_budget_is_taken():
    search = Search()
    search.run()
    pruning, macs = search.pruning, [row["macs"] for row in search.pruning.sequence]

    def at_most(limit):
        return pruning.within(lambda arch: pruning.price.value(arch, "macs") <= limit)

    assert [pruning.price.value(at_most(limit), "macs") for limit in macs] == macs
    assert pruning.price.value(at_most(macs[0] - 1), "macs") == macs[1]
    with pytest.raises(UserError, match=r"the smallest network of the search \(4 multiply-adds .*\) is above the budget; give"):
        at_most(-1)
    assert Search().pruning.within(lambda arch: True) == Search().pruning.left(), "nothing was dropped yet"


def test_the_price_is_a_mean_of_cost_and_number():
    whole = Search(by_cost=1.0).pruning._weights
    assert torch.cat([whole["first"], whole["second"]]).tolist() == pytest.approx([n / 9 for n in (1, 2, 3, 1, 2)])
    half = Search(by_cost=0.5).pruning._weights
    assert torch.cat([*half.values()]).tolist() == pytest.approx([n / 18 + 0.1 for n in (1, 2, 3, 1, 2)])


def test_what_the_loss_needs_stays():
    search = Search(needs=True)
    search.run()
    assert search.relaxation.live("first") == (2,) and search.relaxation.live("second") == ()
    assert search.pruning.left()["first"] == GATED["first"].rank((2,))


def test_the_price_rises_faster_while_nothing_is_dropped_and_falls_after():
    search = Search()
    steps = [search.pruning.after(Step(number=3), {}) or search.pruning.pressure for _ in range(3)]
    assert steps == pytest.approx([0.05, 0.15, 0.3])
    with torch.no_grad():
        search.relaxation.logits.values["first"][0] = -9.0
    search.pruning.after(Step(number=3), {})
    assert search.pruning.pressure == pytest.approx(0.25) and search.relaxation.live("first") == (1, 2)


@pytest.mark.parametrize("kill_at", [8, 33])
def test_pruning_goes_on_exactly_after_a_kill(tmp_path, kill_at):
    whole = Search()
    result = whole.run(Checkpoint(tmp_path / "a"))
    assert status(forked(lambda: Search().run(Checkpoint(tmp_path / "b"), kill_at))) == -signal.SIGKILL
    again = Search()
    assert again.run(Checkpoint(tmp_path / "b")) == result
    assert again.pruning.sequence == whole.pruning.sequence and again.pruning.pressure == whole.pruning.pressure
    assert all(torch.equal(a, b) for a, b in zip(again.gates, whole.gates[kill_at // 10 * 10 :], strict=True))


def test_members_without_a_cost_have_the_same_price():
    space = {"first": ManyOf(("skip", "pool"), 0, 2)}

    def net():
        return choose_many(opened(space)["first"], lambda n: nn.Identity(), torch.zeros_like)

    relaxation = Relaxation(
        supernet=Supernet(nn.ModuleList([net(), nn.Linear(1, 1)]), space), options=Sigmoid(), members=Sigmoid()
    )
    price = Price(net(), (torch.zeros(1, 4),), space)
    pruning = Pruning(relaxation=relaxation, steps=1, settings=PruneSettings(every=1, by_cost=0.5), price=price)
    pruning.pressure = 3.0
    assert float(pruning.penalty({"first": torch.tensor([0.2, 0.6])}, 0.0)["member_price"]) == pytest.approx(3.0 * 0.8 / 2)


def one(space):
    return choose_many(opened(space)["first"], lambda n: nn.Linear(4, 4))


def test_the_strongest_options_are_left():
    relaxation = edges([3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0])
    kept = keep_strongest(relaxation, 3)
    assert kept == {"normal.a": ["skip_connect", "conv", "pool"], "normal.b": ["conv", "pool", "none"]}
    assert keep_strongest(relaxation, 1, ("none",)) == {"normal.a": ["skip_connect"], "normal.b": ["pool"]}
    assert relaxation.live("normal.a") == (0,) and relaxation.live("normal.b") == (2,)


def test_shrinking_drops_at_its_times_alone():
    relaxation = edges([3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0])
    settings = ShrinkSettings(at=(1 / 3, 2 / 3), keep=(3, 1))
    shrinking = Shrinking(relaxation=relaxation, steps=9, settings=settings, forbidden=("none",))
    left = []
    for number in range(9):
        shrinking.after(Step(number=number), {})
        left.append(shrinking.options())
    assert left == [8, 8, 6, 6, 6, 2, 2, 2, 2]
    again = Shrinking(relaxation=edges([0.0] * 4, [0.0] * 4), steps=9, settings=settings)
    again.load({}, shrinking.state())
    assert again.relaxation.dropped == relaxation.dropped


@pytest.mark.parametrize(("cap", "wanted"), [(None, 2), (2, 2), (1, 1), (0, 0)])
def test_skip_connections_are_given_up_from_the_weakest(cap, wanted):
    relaxation = edges([3.0, 2.0, 1.0, 0.0], [9.0, 1.0, 2.0, 3.0])
    found = derive_arch(Gradient(cap=cap, forbidden=("none",)), relaxation).arch
    assert [found["normal.a"], found["normal.b"]].count(0) == wanted
    if wanted == 1:
        assert found["normal.a"] == 1, "the weakest is the first one's"
    if wanted == 0:
        assert found["normal.b"] == 2


def test_a_cap_that_leaves_an_edge_nothing_is_told():
    relaxation = edges([3.0, 2.0, 1.0, 0.0], [9.0, 1.0, 2.0, 3.0])
    relaxation.drop("normal.b", (1, 2, 3))
    with pytest.raises(UserError, match=r"search\.engine\.cap=0: normal\.b has no other operation left; raise it"):
        derive_arch(Gradient(cap=0), relaxation)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ShrinkSettings(at=(0.5,), keep=(3, 1)), "give as many of both"),
        (lambda: ShrinkSettings(at=(0.5, 0.2), keep=(3, 1)), "shares that ascend between 0 and 1"),
        (lambda: ShrinkSettings(at=(0.2, 1.0), keep=(3, 1)), "shares that ascend between 0 and 1"),
        (lambda: ShrinkSettings(at=(0.2, 0.5), keep=(1, 3)), "options that descend"),
        (lambda: ShrinkSettings(at=(0.5,), keep=(0,)), "a decision needs an option; end with 1 or more"),
        (lambda: ShrinkSettings(at=(0.5,), keep=(2,), curriculum=(0.5,)), r"curriculum=\[0\.5\]: give 2 shares of the classes"),
        (lambda: ShrinkSettings(at=(0.5,), keep=(2,), curriculum=(1.0, 0.5)), "that ascend to 1"),
        (lambda: ShrinkSettings(at=(0.5,), keep=(2,), curriculum=(0.0, 1.0)), "above 0, that ascend to 1"),
        (lambda: PruneSettings(every=0), "prune.every=0: give 1 or more"),
        (lambda: PruneSettings(every=1, threshold=0.5), r"prune\.threshold=0\.5: give a number above 0 and below 0\.5"),
        (lambda: PruneSettings(every=1, most=0), "prune.most=0: give 1 or more"),
        (lambda: PruneSettings(every=1, price=0.0), r"prune\.price=0\.0: give a number above 0"),
        (lambda: PruneSettings(every=1, by_cost=1.5), r"prune\.by_cost=1\.5: give a number from 0 to 1"),
        (
            lambda: Gradient(grow=(GrowSettings(keep=3), GrowSettings(keep=3))),
            r"keeps \[3, 3\] options; give numbers that descend",
        ),
        (lambda: Gradient(grow=(GrowSettings(keep=3), GrowSettings(keep=2))), r"\[3, 2\] options; .* as the last search derives"),
        (lambda: Gradient(dual_rate=0.5), r"dual_rate=0\.5 with cost=filter"),
        (lambda: Gradient(stop="skips", cap=1), "cap=1 with stop=skips: it stops at two skips .* which the cap never allows"),
        (lambda: Gradient(grow=(GrowSettings(keep=0),)), r"keeps \[0\] options; give numbers that descend to 1"),
        (
            lambda: Gradient(grow=(GrowSettings(keep=2), GrowSettings(keep=1)), prune=PruneSettings(every=1)),
            "are ways to drop options",
        ),
        (lambda: Gradient(exact=True), "exact with rule=first-order: it has no second derivatives"),
        (lambda: Gradient(threshold=1.0), r"threshold=1\.0: give a number between 0 and 1, or none"),
        (lambda: Gradient(cap=-1), "cap=-1: give 0 or more, or none"),
        (lambda: Gradient(radius=-0.1), r"radius=-0\.1: give 0 or more"),
        (lambda: Gradient(scored=-1), "scored=-1: give 0 or more"),
        (lambda: Gradient(size=0), "size=0: give 1 or more"),
        (lambda: Gradient(zero_one=-1.0), r"zero_one=-1\.0: give 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, says):
    with pytest.raises(UserError, match=says):
        make()


def test_what_cannot_be_dropped_neither_counts_nor_stands_in_the_way():
    """A rule of the space keeps one member of `first`; the weakest one is it, and the next one goes in its place."""
    space = {"first": Where(GATED["first"], bool, "one member at least"), "second": GATED["second"]}
    search = Search()
    search.relaxation.supernet.space = space
    search.relaxation.drop("first", (1, 2))
    with torch.no_grad():
        search.relaxation.logits.values["first"][0] = -9.0
        search.relaxation.logits.values["second"][0] = -8.0
    search.pruning.after(Step(number=3), {})
    assert (search.relaxation.live("first"), search.relaxation.live("second")) == ((0,), (1,))
    search.pruning.after(Step(number=3), {})
    assert len(search.pruning.sequence) == 1, "a round without a drop is no row"
