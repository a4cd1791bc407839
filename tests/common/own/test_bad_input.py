"""What the functions of an own network must not do: each mistake is one line, before anything is written."""

import itertools
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common import NetworkSettings, Objective, OneOf, ScratchSettings, SearchSettings, UserError
from common.own.checks import check_workers
from common.own.network import checked_loss, checked_scores
from common.supernet import opened
from tests.common.own import problem
from tests.common.own.problem import Net, searched

SCRATCH = {"settings": NetworkSettings(search=SearchSettings(evaluation=ScratchSettings())), "overrides": ()}
CALLS = itertools.count()


def impure(net: Net) -> nn.Module:
    """Another initial weight at every call, whatever torch's generator says."""
    network = problem.build(net)
    with torch.no_grad():
        network[6].bias += random.random()
    return network


def by_a_global(net: Net) -> nn.Module:
    return nn.Sequential(*[problem.build(net)] * (1 + next(CALLS) % 2))


WIDE = problem.build(opened(Net(OneOf(2, 3, 4), OneOf(1, 3))))
LAYER = nn.Linear(2, 2)


def one_for_all(net: Net) -> nn.Module:
    return WIDE


def shared_layer(net: Net) -> nn.Module:
    return nn.Sequential(problem.plain(net), LAYER)


def frozen(net: Net) -> nn.Module:
    return problem.build(net).requires_grad_(False)


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


def with_backward(network: nn.Module, step: int) -> torch.Tensor:
    loss = problem.train_step(network, step)
    loss.backward(retain_graph=True)
    return loss


def one_more(network: nn.Module, step: int) -> torch.Tensor:
    """Batches by an iterator of its own."""
    rows = slice(next(CALLS) % 40, None)
    return F.cross_entropy(network(problem.POINTS[rows]), problem.CLASSES[rows])


def stepping(network: nn.Module, step: int) -> torch.Tensor:
    loss = problem.train_step(network, step)
    loss.backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    return loss


def backward_only(network: nn.Module, step: int) -> None:
    problem.train_step(network, step).backward()


def training_evaluate(network: nn.Module) -> float:
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    return 0.5


ARGUMENTS = {
    "inputs is a tensor": ({"inputs": problem.POINTS[:1]}, r"inputs is a tensor of shape \(1, 1, 4, 4\); give the list"),
    "no inputs": ({"inputs": []}, "inputs: give the list of a network's inputs"),
    "inputs of numbers": ({"inputs": [1.0]}, "inputs: give the list of a network's inputs"),
    "empty inputs": ({"inputs": [problem.POINTS[:0]]}, r"inputs has an empty tensor of shape \(0, 1, 4, 4\); give one item"),
    "build of two arguments": ({"build": lambda net, seed: None}, r"build\(net, seed\) cannot be called as build\(net\)"),
    "train step of one argument": (
        {"train_step": lambda network: None},
        r"train_step\(network\) cannot be called as train_step\(network, step\)",
    ),
    "weights of a module": ({"weights": nn.ReLU()}, "weights is a ReLU; give a state dict"),
    "no step of the supernet": (
        {"overrides": ["supernet.steps=0"]},
        "supernet.steps=0: a network must be trained; give 1 or more",
    ),
    "no step of training": ({"overrides": ["train.steps=0"]}, "train.steps=0: a network must be trained; give 1 or more"),
    "no decision": ({"space": Net(2, 3)}, "the space has no decision: open one"),
    "the class of a space": ({"space": Net}, r"space is the class Net; give a description, Net\(\) say"),
    "settings of another kind": ({"settings": {"trials": 3}}, r"settings is a dict; give NetworkSettings\(\.\.\.\), or names"),
    "overrides as a text": ({"overrides": "search.trials=3"}, r"overrides is the text 'search\.trials=3'; give a list: \['sea"),
    "one objective": ({"objectives": Objective("accuracy")}, "objectives: give a list of common.Objective"),
    "a description as the baseline": ({"baseline": Net(2, 1)}, "baseline is a Net; give a dictionary, .*: {'width': ..., }"),
    "fewer workers than none": ({"workers": -1}, r"workers=-1: give 0 \(this process alone\) or more"),
    "build is a module": ({"build": 3}, "build is a int; give a function"),
    "no evaluate": ({"evaluate": None}, "evaluate is a NoneType; give a function"),
    "train_step is text": ({"train_step": "adam"}, "train_step is a str; give a function or None"),
    "objectives of text": ({"objectives": ["accuracy"]}, "objectives: give a list of common.Objective"),
    "a cost first": ({"objectives": [Objective("macs", "min")]}, "the first is 'macs', a cost; begin with a score"),
    "unknown baseline": ({"baseline": {"width": 9, "kernel": 1}}, "baseline: decision 'width' has no option '9'; it has"),
    "part of a baseline": ({"baseline": {"width": 2}}, "baseline: decision 'kernel' is missing"),
    "no train step": ({"train_step": None}, "search.evaluation=inherited trains a supernet, which needs train_step; give it, or"),
    "shares without a train step": (
        {"train_step": None, "overrides": ["search.evaluation=scratch", "search.engine=halving"]},
        "search.engine=halving trains candidates for a share of the steps, which needs train_step",
    ),
    "gradient": (
        {"overrides": ["search.engine=gradient"]},
        "search.engine=gradient: network has no training of a relaxed supernet; give another engine",
    ),
    "items of a calibration batch": (
        {"overrides": ["search.evaluation.calibration_batch=4"]},
        "an own network's train_step chooses the batch itself",
    ),
    "images": ({"overrides": ["search.evaluation.images=8"]}, "an own network's evaluate chooses its items itself"),
    "unknown setting": ({"overrides": ["train.epochs=8"]}, "has no field 'epochs'"),
    "impossible budget": ({"settings": NetworkSettings(budget={"macs": 1}), "overrides": ()}, "budget macs=1 is impossible"),
    "budget of no cost": (
        {"settings": NetworkSettings(budget={"energy": 1}), "overrides": ()},
        "budget 'energy' is no cost of a network; limit params, macs",
    ),
    "a search for no cost": ({"overrides": ["search.cost=AP"]}, "search.cost=AP is no cost of a network; give params, macs"),
    "latency without a table": (
        {"overrides": ["search.cost=latency"]},
        "search.cost=latency needs a latency table: --set latency=TABLE.json",
    ),
    "an unknown device": ({"device": "gpu"}, "device 'gpu' cannot be used"),
}
FUNCTIONS = {
    "build is random": ({"build": impure}, "the build function makes two networks of one description"),
    "build is random, no supernet": ({"build": impure, **SCRATCH}, "two networks of one description.*torch's generator"),
    "build by a global": ({"build": by_a_global, **SCRATCH}, "two networks of one description"),
    "build gives nothing": (
        {"build": lambda net: None, **SCRATCH},
        "build gave None, which is no torch.nn.Module; return the network",
    ),
    "build of fixed values": ({"build": problem.plain}, "decision 'kernel' is open, and the build function computes with it"),
    "a decision nobody reads": (
        {"space": {"net": Net(OneOf(2, 3), 3), "other": OneOf(1, 2)}, "build": lambda space: problem.build(space["net"])},
        "no module of the supernet reads decision 'other'",
    ),
    "train step gives nothing": (
        {"train_step": backward_only},
        "train_step gave None; return the loss as a tensor of one number",
    ),
    "a loss of each item": (
        {"train_step": lambda network, step: network(problem.POINTS[:4]).sum(1)},
        r"train_step gave a tensor of shape \(4,\) and torch.float32; return the loss",
    ),
    "a loss without gradient": (
        {"train_step": lambda network, step: problem.train_step(network, step).detach()},
        "train_step gave a loss without gradient; compute it from the network's outputs",
    ),
    "a loss that is no number": (
        {"train_step": lambda network, step: problem.train_step(network, step) * float("nan")},
        "train_step gave the loss nan before any training",
    ),
    "batches of an iterator": (
        {"train_step": one_more},
        "train_step gave the losses .* for the same network and step 0; choose its batch",
    ),
    "an optimiser of its own": ({"train_step": stepping}, "train_step changes '0.*it must return the loss alone"),
    "evaluate gives nan": ({"evaluate": lambda network: float("nan")}, "evaluate gave accuracy=nan.*must be a finite number"),
    "evaluate gives nothing": ({"evaluate": lambda network: None}, "evaluate gave None for one network; return a number"),
    "evaluate gives a list": (
        {"evaluate": lambda network: [0.5] * 30},
        "evaluate gave a list of 30 for one network; return a number",
    ),
    "evaluate gives a vector": (
        {"evaluate": lambda network: torch.ones(24)},
        r"evaluate gave a tensor of shape \(24,\) for one network",
    ),
    "evaluate gives text": ({"evaluate": lambda network: {"accuracy": "high"}}, "evaluate gave accuracy='high'; return a number"),
    "evaluate lacks the objective": (
        {"evaluate": lambda network: {"acc": 0.5}},
        "evaluate gave no score 'accuracy', only acc; return a number, or a dictionary of numbers by name with accuracy",
    ),
    "one number of two objectives": (
        {"evaluate": lambda network: 0.5, "objectives": [Objective("accuracy"), Objective("loss", "min")]},
        "evaluate gave a float; the objectives are accuracy, loss",
    ),
    "evaluate trains": ({"evaluate": training_evaluate}, "evaluate changes '0.* of the network; it must only look"),
    "evaluate is random": (
        {"evaluate": lambda network: random.random()},
        "evaluate gave accuracy=.* and then .* for the same network",
    ),
    "weights of another network": (
        {"weights": problem.plain(Net(4, 3)).state_dict()},
        "weights: '0.*is in the supernet alone; give the state_dict",
    ),
    "weights of a narrower network": (
        {"weights": problem.build(opened(Net(OneOf(2, 3), OneOf(1, 3)))).state_dict()},
        r"weights: '0.*has shape \(3, 1, 1, 1\), and \(4, 1, 1, 1\) in the supernet",
    ),
    "weights without a supernet": (
        {"weights": {}, **SCRATCH},
        "weights: a run with search.evaluation=scratch trains no supernet",
    ),
    "one network for all": ({"build": one_for_all}, "the build function gives '0.* to every network that it builds"),
    "one layer for all, no supernet": ({"build": shared_layer, **SCRATCH}, "gives '1.weight' to every network that it builds"),
    "a loss of something else": (
        {"train_step": lambda network, step: nn.Parameter(torch.ones(())) * 2},
        "the loss of train_step does not depend on the network's weights",
    ),
    "an infinite loss": (
        {"train_step": lambda network, step: problem.train_step(network, step) / 0.0},
        "train_step gave the loss inf before any training",
    ),
    "a backward pass of its own": (
        {"train_step": with_backward},
        "train_step left a gradient at '0.*without backward",
    ),
    "a score with the name of a cost": (
        {"evaluate": lambda network: {"accuracy": 0.5, "macs": 3.0}},
        "evaluate gave a score 'macs', the name of a cost that is counted",
    ),
    "build of a class": ({"build": lambda net: nn.ReLU}, "build gave a type, which is no torch.nn.Module"),
    "inputs of another shape": (
        {"inputs": [torch.zeros(1, 3, 4, 4)]},
        r"the network does not run on inputs of float32 \(2, 3, 4, 4\): .*give inputs that it takes",
    ),
    "inputs of another shape, no supernet": (
        {"inputs": [torch.zeros(1, 3, 4, 4)], "build": problem.plain, **SCRATCH},
        r"the network does not run on inputs of float32 \(1, 3, 4, 4\)",
    ),
    "a network that is random in eval mode": (
        {"build": lambda net: nn.Sequential(problem.build(net), Noise())},
        "the network gives other outputs for the same inputs in eval mode",
    ),
    "nothing to train": ({"build": frozen}, "no parameter of the supernet is trainable"),
    "test gives nothing": ({"test": lambda network: None}, "test gave None for one network"),
}


@pytest.mark.parametrize(("change", "message"), [*ARGUMENTS.values(), *FUNCTIONS.values()], ids=[*ARGUMENTS, *FUNCTIONS])
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, change, message):
    with pytest.raises(UserError, match=message) as refused:
        searched(tmp_path / "run", **change)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_an_evaluation_that_trains_is_checked_when_it_has_trained(tmp_path):
    change = {"evaluate": lambda network: [0.5], "train_step": None, "test": None, "build": problem.plain}
    with pytest.raises(UserError, match="evaluate gave a list of 1 for one network"):
        searched(tmp_path / "run", **change, **SCRATCH)


def test_what_functions_may_give():
    assert checked_scores(torch.tensor([0.5]), ["acc"], "evaluate") == {"acc": 0.5}
    assert checked_scores({"acc": torch.tensor(0.5), "other": 3}, ["acc"], "evaluate") == {"acc": 0.5, "other": 3.0}
    assert checked_loss(torch.ones(1, 1)).shape == ()


def own(**functions: object) -> SimpleNamespace:
    return SimpleNamespace(
        **{"build": problem.build, "evaluate": problem.evaluate, "train_step": None, "test": None, **functions}
    )


def test_workers_need_functions_of_a_file_and_a_script_that_starts_guarded(monkeypatch, tmp_path):
    check_workers(own(build=lambda net: None), 0)
    with pytest.raises(
        UserError, match="workers=2: build cannot be given to another process; define it at the top level of a file"
    ):
        check_workers(own(build=lambda net: None), 2)
    script = tmp_path / "script.py"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    script.write_text("print('starts')\n")
    with pytest.raises(UserError, match=r'would start again in every worker; put the call below if __name__ == "__main__":'):
        check_workers(own(), 2)
    script.write_text("if __name__ == '__main__':\n    print('starts')\n")
    check_workers(own(), 2)
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    check_workers(own(), 2)

    def evaluate(network: nn.Module) -> float:
        return 0.0

    evaluate.__module__, evaluate.__qualname__ = "__main__", "evaluate"
    monkeypatch.setattr(sys.modules["__main__"], "evaluate", evaluate, raising=False)
    with pytest.raises(UserError, match="worker processes cannot read functions of a session; move them to a file"):
        check_workers(own(evaluate=evaluate), 2)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="is a file; --out needs a folder"):
        searched(Path(tmp_path / "run"))
