"""What a loss is told of its step, and several participants of one training, each of which goes on exactly after a kill."""

import signal
from typing import ClassVar

import pytest
import torch
from torch import nn

from common.run.checkpoint import Checkpoint
from common.space import Arch, OneOf, sample
from common.streams import stream, torch_stream
from common.supernet import Supernet, choose, opened
from common.train.averaging import Averaging
from common.train.fit import fit
from common.train.sampled import SampledPaths
from common.train.step import Losses, Participant, Path, Step
from tests.common.run.killing import die, forked, status
from tests.common.train.acting import Acts, plain

SPACE = {"a": OneOf(0, 1, 2)}
STEPS = 12


class Net(nn.Module):
    """Three options, and a temperature that a participant sets."""

    def __init__(self, space):
        super().__init__()
        self.op = choose(space["a"], lambda i: nn.Linear(4, 4))
        self.last = nn.Linear(4, 1)
        self.temperature = 1.0

    def forward(self, x):
        return self.last(self.op(x)) / self.temperature


class Controller(Participant):
    """Learns which path to take from the losses it is told of: three logits, an optimiser and a baseline."""

    name: ClassVar[str] = "controller"

    def __init__(self, supernet):
        self.supernet, self.logits, self.baseline = supernet, torch.zeros(3, requires_grad=True), None
        self.optimizer = torch.optim.Adam([self.logits], lr=0.1)
        self.taken = 0

    def before(self, step):
        self.taken = int(torch.multinomial(self.logits.softmax(0), 1, generator=torch_stream(0, "controller", step.number)))
        arch = Arch({"a": self.taken})
        return [Path(lambda: self.supernet.activate(arch), arch)]

    def after(self, step, values):
        self.baseline = values["loss"] if self.baseline is None else 0.9 * self.baseline + 0.1 * values["loss"]
        self.optimizer.zero_grad()
        ((values["loss"] - self.baseline) * self.logits.log_softmax(0)[self.taken]).backward()
        self.optimizer.step()

    def tensors(self):
        return {"logits": self.logits.detach()}

    def state(self):
        return {"optimizer": self.optimizer.state_dict(), "baseline": self.baseline}

    def load(self, tensors, state):
        with torch.no_grad():
            self.logits.copy_(tensors["logits"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline = state["baseline"]


class Annealing(Participant):
    """A temperature that falls faster the lower the loss is: a schedule with a state."""

    name: ClassVar[str] = "annealing"

    def __init__(self, network):
        self.network, self.value = network, 2.0

    def before(self, step):
        self.network.temperature = self.value

    def after(self, step, values):
        self.value *= 0.9 if values["loss"] < 1 else 0.99

    def state(self):
        return {"value": self.value}

    def load(self, tensors, state):
        self.value = state["value"]


class Ends(Participant):
    """Ends a training that has lost enough."""

    name: ClassVar[str] = "ends"

    def __init__(self, at):
        self.at, self.total = at, 0.0

    def after(self, step, values):
        self.total += values["loss"]

    def ended(self):
        return self.total > self.at

    def state(self):
        return {"total": self.total}

    def load(self, tensors, state):
        self.total = state["total"]


def batch_at(number):
    x = torch.randn(8, 4, generator=torch_stream(1, "batch", number))
    return x, x.sum(1, keepdim=True)


def squared(model, batch):
    return {"loss": (model(batch[0]) - batch[1]).square().mean()}


class Training:
    def __init__(self, end=99.0):
        torch.manual_seed(0)
        self.supernet = Supernet(Net(opened(SPACE)), SPACE)
        self.network = self.supernet.module
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.05, momentum=0.9)
        self.controller, self.annealing = Controller(self.supernet), Annealing(self.network)
        self.average, self.end = Averaging(network=self.network, decay=0.8), Ends(end)
        self.seen = []

    def run(self, checkpoint=None, kill_at=None):
        def observe(step, values):
            if step == kill_at:
                die()
            self.seen.append((step, values["loss"]))

        guard = SampledPaths(supernet=self.supernet, policy=None, optimizer=self.optimizer, model=self.network)
        return fit(
            plain(self.network, squared),
            batch_at=batch_at,
            optimizer=self.optimizer,
            schedule=lambda fraction: 1.0,
            steps=STEPS,
            participants=[guard, self.controller, self.annealing, self.average, self.end],
            checkpoint=checkpoint,
            save_every=5,
            observe=observe,
        )

    def bits(self):
        kept = [*self.network.state_dict().values(), self.controller.logits.detach(), *self.average.tensors().values()]
        return [t.clone() for t in kept], self.controller.baseline, self.annealing.value, self.end.total


@pytest.mark.parametrize("kill_at", [2, 7, 11])
def test_every_kind_of_participant_goes_on_exactly(tmp_path, kill_at):
    undisturbed = Training()
    result = undisturbed.run(Checkpoint(tmp_path / "a"))
    assert status(forked(lambda: Training().run(Checkpoint(tmp_path / "b"), kill_at))) == -signal.SIGKILL
    resumed = Training()
    assert resumed.run(Checkpoint(tmp_path / "b")) == result
    (tensors, *values), (wanted, *others) = resumed.bits(), undisturbed.bits()
    assert all(torch.equal(a, b) for a, b in zip(tensors, wanted, strict=True)) and values == others
    assert resumed.seen == undisturbed.seen[kill_at // 5 * 5 :]
    assert undisturbed.controller.logits.detach().abs().max() > 0.1, "the controller has learnt"


def test_one_participant_may_end_the_training_of_all(tmp_path):
    whole = Training()
    whole.run()
    ended = Training(end=sum(loss for _, loss in whole.seen[:4]) + 1e-6)
    ended.run(Checkpoint(tmp_path / "a"))
    assert ended.seen == whole.seen[:5]
    again = Training(end=ended.end.at)
    again.run(Checkpoint(tmp_path / "a"))
    assert again.seen == [] and again.end.total == ended.end.total


def test_a_loss_is_told_of_its_step_and_of_each_of_its_paths():
    """What in-place distillation, and penalties of the largest path alone, need."""
    supernet = Supernet(Net(opened(SPACE)), SPACE)
    optimizer = torch.optim.SGD(supernet.module.parameters(), lr=0.1)
    archs = [[sample(SPACE, stream(step, i)) for i in range(3)] for step in range(4)]
    told = []

    def loss(model, batch, step):
        told.append(step)
        return squared(model, batch)

    fit(
        Losses(supernet.module, loss),
        batch_at=batch_at,
        optimizer=optimizer,
        schedule=lambda fraction: 1.0,
        steps=4,
        seed=7,
        accumulate=2,
        participants=[SampledPaths(supernet=supernet, policy=archs.__getitem__, optimizer=optimizer, model=supernet.module)],
    )
    assert told == [
        Step(number=number, progress=number / 4, seed=7, path=arch, index=index)
        for number in range(4)
        for _ in range(2)
        for index, arch in enumerate(archs[number])
    ]


def test_what_cannot_be_together_is_refused():
    model = nn.Linear(4, 1)

    def run(*participants):
        fit(
            plain(model, squared),
            batch_at=batch_at,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            schedule=lambda fraction: 1.0,
            steps=1,
            participants=participants,
        )

    with pytest.raises(ValueError, match="each needs a name of its own"):
        run(Acts(), Acts())

    class Model(Acts):
        name: ClassVar[str] = "model"

    with pytest.raises(ValueError, match="other than model, optimizer and scaler"):
        run(Model())

    class Other(Acts):
        name: ClassVar[str] = "other"

    with pytest.raises(ValueError, match="'acts' and 'other' both choose the paths of a step; give one source of paths"):
        run(Acts(lambda step: [lambda: None]), Other(lambda step: [lambda: None]))
    run(Acts(lambda step: []), Other(lambda step: [lambda: None]))
