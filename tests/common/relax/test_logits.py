"""Logits: what they start from, and that a checkpoint of another space is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from common.errors import UserError
from common.relax.logits import Logits
from common.run.checkpoint import Checkpoint
from common.streams import torch_stream

SIZES = {"cell.0.op": 5, "cell.0.inputs": 2, "cell.1.op": 5}


def test_one_leaf_per_decision_in_order():
    logits = Logits(SIZES, seed=3)
    assert {path: len(value) for path, value in logits.values.items()} == SIZES
    assert list(logits.values) == list(SIZES)
    assert all(v.is_leaf and v.requires_grad and v.dtype == torch.float32 for v in logits.values.values())
    expected = torch.randn(5, generator=torch_stream(3, "logits", "cell.1.op")) * 1e-3
    assert torch.equal(logits.values["cell.1.op"].detach(), expected)


def test_they_depend_on_seed_and_path_alone():
    a, b, c = Logits(SIZES, seed=0), Logits({"cell.1.op": 5}, seed=0), Logits(SIZES, seed=1)
    assert torch.equal(a.values["cell.1.op"], b.values["cell.1.op"])
    assert not torch.equal(a.values["cell.1.op"], a.values["cell.0.op"])
    assert not torch.equal(a.values["cell.1.op"], c.values["cell.1.op"])


def test_start_and_spread():
    assert Logits({"a": 3}, seed=0, start=0.5, std=0.0).values["a"].tolist() == [0.5] * 3
    many = Logits({"a": 20_000}, seed=0, start=0.5, std=0.1).values["a"].detach()
    assert float(many.mean()) == pytest.approx(0.5, abs=0.003)
    assert float(many.std()) == pytest.approx(0.1, abs=0.002)


def test_a_checkpoint_brings_them_back_into_the_same_tensors(tmp_path: Path):
    logits = Logits(SIZES, seed=0)
    optimizer = torch.optim.Adam(logits.values.values(), lr=0.1)
    sum((v**2).sum() for v in logits.values.values()).backward()
    optimizer.step()
    checkpoint = Checkpoint(tmp_path / "search")
    checkpoint.save(1, logits.tensors(), {})
    stepped = logits.tensors()
    other = Logits(SIZES, seed=9)
    held = dict(other.values)
    saved = checkpoint.load()
    assert saved is not None
    other.load(saved.tensors)
    for path, value in other.values.items():
        assert value is held[path] and value.is_leaf and value.requires_grad
        assert torch.equal(value, stepped[path])


def test_tensors_are_copies():
    logits = Logits(SIZES, seed=0)
    copies = logits.tensors()
    with torch.no_grad():
        logits.values["cell.0.op"].add_(1)
    assert not copies["cell.0.op"].requires_grad
    assert torch.equal(copies["cell.0.op"] + 1, logits.values["cell.0.op"].detach())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(elsewhere=torch.zeros(2)), "'elsewhere'"),
        (lambda t: t.pop("cell.0.inputs"), "'cell.0.inputs' are missing"),
        (lambda t: t.update({"cell.1.op": torch.zeros(6)}), r"'cell.1.op' have shape \(6,\), but it takes \(5,\)"),
        (lambda t: t.update({"cell.1.op": torch.zeros(1)}), "'cell.1.op'"),  # would broadcast
        (lambda t: t.update({"cell.1.op": torch.zeros(())}), "'cell.1.op'"),
    ],
)
def test_tensors_of_another_space_are_refused_and_nothing_is_set(
    change: Callable[[dict[str, torch.Tensor]], object], message: str
):
    logits = Logits(SIZES, seed=0)
    before = logits.tensors()
    other = Logits(SIZES, seed=1).tensors()
    change(other)
    with pytest.raises(UserError, match=message):
        logits.load(other)
    assert all(torch.equal(value, before[path]) for path, value in logits.values.items())


def test_moving_keeps_the_tensors_that_an_optimiser_holds():
    logits = Logits(SIZES, seed=0)
    held = dict(logits.values)
    before = logits.tensors()
    logits.values["cell.0.op"].sum().backward()
    assert logits.to("cpu") is logits
    for path, value in logits.values.items():
        assert value is held[path] and value.is_leaf and value.requires_grad and value.grad is None
        assert torch.equal(value, before[path])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Logits({}, seed=0), "no decision"),
        (lambda: Logits({"a": 2, "b": 0}, seed=0), "'b' has 0 options"),
        (lambda: Logits({"a": 2}, seed=0, std=-1.0), "std=-1.0"),
        (lambda: Logits({"a": 2}, seed=0, std=float("nan")), "std=nan"),
        (lambda: Logits({"a": 2}, seed=0, start=float("inf")), "start=inf"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], Logits], message: str):
    with pytest.raises(UserError, match=message):
        make()
