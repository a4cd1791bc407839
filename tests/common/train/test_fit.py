import os
import signal
from contextlib import contextmanager
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from common.errors import UserError
from common.run.checkpoint import Checkpoint
from common.streams import torch_stream
from common.train.averaging import Averaging
from common.train.clip import Clip
from common.train.fit import TrainingDiverged, fit, move_batch, total_loss
from common.train.optim import OptimSettings, make_optimizer
from common.train.schedules import cosine
from common.train.step import Participant, Path
from tests.common.run.killing import die, forked, status
from tests.common.train.acting import Acts, plain

STEPS = 14


def batch_at(number):
    g = torch_stream(7, "batch", number)
    return torch.randn(6, 4, generator=g), torch.randn(6, 1, generator=g)


def squared(model, batch):
    x, y = batch
    error = (model(x) - y).square().mean()
    return {"loss_mse": error, "error": error.detach().sqrt()}


class Beside(Participant):
    """A number with an optimiser of its own, trained beside the model; it chooses the paths as well."""

    name = "beside"

    def __init__(self, training):
        self.training = training
        self.number = torch.ones(3, requires_grad=True)
        self.optimizer = torch.optim.Adam([self.number], lr=0.1)

    def learn(self, target):
        self.optimizer.zero_grad()
        (self.number - target).square().sum().backward()
        self.optimizer.step()

    def before(self, step):
        self.learn(self.training.last.bias.detach() + step.number)
        return [Path(partial(self.training.pick, (step.number + i) % 3)) for i in (0, 1)]

    def tensors(self):
        return {"number": self.number}

    def state(self):
        return {"optimizer": self.optimizer.state_dict()}

    def load(self, tensors, state):
        with torch.no_grad():
            self.number.copy_(tensors["number"])
        self.optimizer.load_state_dict(state["optimizer"])


class Training:
    """A tiny training with all that has a state: BatchNorm, momentum or AdamW, EMA, dropout, several paths a step."""

    def __init__(self, name="sgd"):
        torch.manual_seed(1)
        self.paths = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.first, self.last = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3)), nn.Linear(8, 1)
        self.active = 0
        outer = self

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = nn.ModuleList([outer.first, outer.paths, outer.last])

            def forward(self, x):
                return outer.last(outer.paths[outer.active](outer.first(x)).relu())

        self.model = Net()
        self.optimizer = make_optimizer(self.model, OptimSettings(name=name, lr=0.05, weight_decay=0.01))
        self.ema = Averaging(network=self.model, decay=0.9)
        self.side = Beside(self)
        self.seen = []

    def pick(self, i):
        self.active = i

    def run(self, checkpoint=None, steps=STEPS, observe=None, loss=squared, **changes):
        def watch(step, values):
            self.seen.append((step, dict(values)))
            if observe:
                observe(step)

        settings = {
            "batch_at": batch_at,
            "participants": [self.side, self.ema],
            "clip": Clip(norm=1.0),
            "accumulate": 2,
            "save_every": 4,
        }
        return fit(
            plain(self.model, loss),
            optimizer=self.optimizer,
            schedule=cosine(warmup=0.2),
            steps=steps,
            checkpoint=checkpoint,
            observe=watch,
            **(settings | changes),
        )

    def bits(self):
        optimizers = (self.optimizer, self.side.optimizer)
        states = [t for o in optimizers for s in o.state.values() for t in s.values() if isinstance(t, torch.Tensor)]
        return [t.clone() for t in (*self.model.state_dict().values(), *self.ema.tensors().values(), self.side.number, *states)]


def same(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_it_learns_and_reports():
    training = Training()
    training.run(steps=60)
    first, last = training.seen[0][1], training.seen[-1][1]
    assert last["loss"] < first["loss"]
    assert set(first) == {"loss", "loss_mse", "error", "grad_norm", "lr"}
    assert [step for step, _ in training.seen] == list(range(60))
    assert first["loss"] == first["loss_mse"] and first["lr"] == pytest.approx(0.05e-3)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("kill_at", [0, 3, 9, 13])
def test_killed_and_resumed_equals_undisturbed(tmp_path, name, kill_at):
    undisturbed = Training(name)
    result = undisturbed.run(Checkpoint(tmp_path / "a"))

    def work():
        Training(name).run(Checkpoint(tmp_path / "b"), observe=lambda step: die() if step == kill_at else None)

    assert status(forked(work)) == -signal.SIGKILL
    resumed = Training(name)
    torch.manual_seed(999)  # what the process drew before must not matter
    assert resumed.run(Checkpoint(tmp_path / "b")) == result
    assert same(resumed.bits(), undisturbed.bits())
    first = kill_at // 4 * 4
    assert resumed.seen == undisturbed.seen[first:]


def test_a_checkpoint_changes_nothing_and_a_finished_one_is_not_trained_on(tmp_path):
    plain, saving = Training(), Training()
    assert plain.run() == saving.run(Checkpoint(tmp_path / "a"))
    assert same(plain.bits(), saving.bits())
    again = Training()
    again.run(Checkpoint(tmp_path / "a"))
    assert again.seen == [] and same(again.bits(), plain.bits())
    with pytest.raises(UserError, match="holds 14 steps, more than the 9 asked for"):
        Training().run(Checkpoint(tmp_path / "a"), steps=9)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_finishes_the_step_saves_and_goes_on_exactly(tmp_path, number):
    undisturbed = Training()
    undisturbed.run()
    stopped = Training()

    def middle(model, batch):  # in the middle of a step
        if len(stopped.seen) == 6:
            os.kill(os.getpid(), number)
        return squared(model, batch)

    def terminated(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        with pytest.raises(KeyboardInterrupt):
            # one more signal would not be held back: a single batch and path a step sends one
            stopped.run(Checkpoint(tmp_path / "a"), loss=once(middle, stopped))
        assert signal.getsignal(signal.SIGTERM) is terminated
    finally:
        signal.signal(signal.SIGTERM, before)
    assert Checkpoint(tmp_path / "a").load().step == 7
    resumed = Training()
    resumed.run(Checkpoint(tmp_path / "a"))
    assert same(resumed.bits(), undisturbed.bits())


def once(noisy, training):
    """`noisy` the first time it is due, `squared` after."""
    sent = []

    def loss(model, batch):
        if len(training.seen) == 6 and not sent:
            sent.append(True)
            return noisy(model, batch)
        return squared(model, batch)

    return loss


def test_second_interrupt_is_obeyed_at_once(tmp_path):
    training = Training()

    def impatient(step):
        if step == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        training.run(Checkpoint(tmp_path / "a"), observe=impatient)
    assert Checkpoint(tmp_path / "a").load().step == 4  # the step was not whole: only the one before is kept


def test_the_random_state_of_the_caller_is_untouched():
    torch.manual_seed(5)
    expected = torch.rand(1)
    training = Training()
    torch.manual_seed(5)
    training.run()
    assert torch.equal(torch.rand(1), expected)


def test_idle_paths_are_untouched():
    """Path 2 has gradients, momentum and decay of its own from steps before; a step on other paths leaves all of it alone."""
    training = Training()
    kept = []

    def path_2():
        states = [training.optimizer.state[p]["momentum_buffer"] for p in training.paths[2].parameters()]
        return [t.clone() for t in (*training.paths[2].parameters(), *states)]

    training.run(
        steps=6,
        participants=[Acts(lambda step: [lambda: training.pick(2 if step < 3 else step % 2)])],
        observe=lambda step: kept.append(path_2()),
    )
    assert not same(kept[1], kept[2])
    assert same(kept[2], kept[3]) and same(kept[2], kept[5])


def test_gradients_are_summed_over_paths_and_averaged_over_batches():
    model = nn.Linear(4, 1)
    expected = torch.zeros_like(model.weight)
    for number in (0, 1):
        for factor in (1.0, 3.0):
            (grad,) = torch.autograd.grad(factor * squared(model, batch_at(number))["loss_mse"], model.weight)
            expected += grad / 2
    got, factor = [], []

    @contextmanager
    def around():
        got.append(model.weight.grad.clone())
        yield

    fit(
        plain(model, lambda m, b: {"loss": factor[-1] * squared(m, b)["loss_mse"]}),
        batch_at=batch_at,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        schedule=lambda fraction: 1.0,
        steps=1,
        accumulate=2,
        participants=[Acts(lambda step: [lambda: factor.append(1.0), lambda: factor.append(3.0)], around)],
    )
    assert len(got) == 1 and torch.allclose(got[0], expected, atol=1e-6)


def simple(model, loss, **changes):
    settings = {"batch_at": batch_at, "schedule": lambda fraction: 1.0, "steps": 4}
    return fit(plain(model, loss), optimizer=torch.optim.SGD(model.parameters(), lr=0.3), **(settings | changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_stops_before_the_step_is_made(tmp_path, value):
    model = nn.Linear(4, 1)
    seen = []

    def loss(m, batch):
        out = squared(m, batch)["loss_mse"]
        return {"loss": out * value if len(seen) == 2 else out}

    with pytest.raises(
        TrainingDiverged, match=r"the loss is (nan|inf) at step 2 of 4 with learning rate 0\.3; give a lower one, 0\.1 say"
    ):
        simple(model, loss, observe=lambda step, values: seen.append(values), checkpoint=Checkpoint(tmp_path / "a"))
    assert all(p.isfinite().all() for p in model.parameters())
    assert issubclass(TrainingDiverged, UserError)


def test_divergence_of_a_clipped_gradient():
    def loss(m, batch):
        return {"loss": (m(batch[0]) * 0).sum().sqrt()}  # 0, with an infinite slope

    with pytest.raises(TrainingDiverged, match="the gradient is nan at step 0"):
        simple(nn.Linear(4, 1), loss, clip=Clip(norm=1.0))


def test_mixed_precision():
    seen = []

    def loss(m, batch):
        out = m(batch[0])
        seen.append(out.dtype)
        return {"loss": (out - batch[1]).square().mean()}

    model = nn.Linear(4, 1)
    before = model.weight.clone()
    simple(model, loss, amp=torch.bfloat16)
    assert set(seen) == {torch.bfloat16} and model.weight.dtype == torch.float32 and not torch.equal(model.weight, before)


def test_what_is_minimised():
    one = torch.tensor(1.0)
    assert total_loss({"loss_cls": one, "box_loss": 2 * one, "acc": 9 * one}) == 3
    with pytest.raises(ValueError, match=r"none of \['acc'\] has 'loss' in its name"):
        total_loss({"acc": one})


def test_batches_are_moved_at_any_depth():
    t = torch.zeros(1)
    device = torch.device("meta")
    moved = move_batch({"a": [t, (t, "text")], "b": 3}, device)
    assert moved["a"][0].device == moved["a"][1][0].device == device
    assert moved["a"][1][1] == "text" and moved["b"] == 3
    custom = []
    simple(nn.Linear(4, 1), squared, to=lambda batch, device: custom.append(device) or batch)
    assert custom == [torch.device("cpu")] * 4


def test_two_processes_end_alike_and_equal_one_with_both_batches(tmp_path):
    def rank(me):
        dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=me, world_size=2)
        torch.manual_seed(me)  # DistributedDataParallel sends rank 0's weights to all
        network = nn.Linear(4, 1)
        model = DistributedDataParallel(plain(network, squared))
        seen = []
        fit(
            model,
            batch_at=lambda number: batch_at(2 * number + me),
            optimizer=torch.optim.SGD(network.parameters(), lr=0.3),
            schedule=lambda fraction: 1.0,
            steps=4,
            checkpoint=Checkpoint(tmp_path / "net"),
            observe=lambda step, values: seen.append(values["loss"]),
        )
        torch.save({"weights": network.state_dict(), "seen": seen}, tmp_path / f"rank{me}")
        dist.destroy_process_group()

    assert [status(child) for child in (forked(lambda: rank(0)), forked(lambda: rank(1)))] == [0, 0]
    zero, one = (torch.load(tmp_path / f"rank{me}", weights_only=True) for me in (0, 1))
    assert zero["seen"] == one["seen"]
    assert all(torch.equal(zero["weights"][name], one["weights"][name]) for name in zero["weights"])
    torch.manual_seed(0)
    alone = nn.Linear(4, 1)
    simple(alone, squared, accumulate=2)
    assert all(torch.allclose(zero["weights"][name], value, atol=1e-6) for name, value in alone.state_dict().items())
    assert Checkpoint(tmp_path / "net").load().tensors.keys() == {"model/weight", "model/bias"}
