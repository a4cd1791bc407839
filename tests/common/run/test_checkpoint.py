import errno
import signal

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.run import files
from common.run.checkpoint import Checkpoint, load_weights, save_weights
from tests.common.run.killing import forked, kill_after


def state(step):
    return {"a": torch.full((50, 50), float(step)), "n": torch.tensor(step)}, {
        "state": {0: {"m": torch.full((9,), float(step))}},
        "lr": 0.1,
    }


def save(checkpoint, step):
    tensors, optimizer = state(step)
    checkpoint.save(step, tensors, optimizer, {"step": step})


def check(saved):
    tensors, optimizer = state(saved.step)
    assert saved.extra == {"step": saved.step}
    assert torch.equal(saved.tensors["a"], tensors["a"]) and torch.equal(saved.tensors["n"], tensors["n"])
    assert torch.equal(saved.optimizer_state["state"][0]["m"], optimizer["state"][0]["m"]) and saved.optimizer_state["lr"] == 0.1


def test_saved_is_loaded(tmp_path):
    checkpoint = Checkpoint(tmp_path / "deep" / "net")
    assert checkpoint.load() is None
    for step in (1, 2, 3):
        save(checkpoint, step)
        saved = checkpoint.load()
        assert saved.step == step
        check(saved)
    assert [p.name for p in checkpoint.path.parent.iterdir()] == ["net"]


def test_every_kill_leaves_one_complete_checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path / "net")
    save(checkpoint, 0)

    def work():
        step = checkpoint.load().step
        while True:
            step += 1
            save(checkpoint, step)

    last = 0
    for i in range(12):
        assert kill_after(forked(work), 0.04 + 0.0087 * i) == -signal.SIGKILL
        saved = checkpoint.load()
        check(saved)
        assert saved.step >= last
        last = saved.step
    assert last > 0


@pytest.mark.parametrize("at", range(20))
def test_a_stop_at_every_change_of_the_disk(tmp_path, monkeypatch, at):
    """Stops the save before its n-th call that changes the disk, without any clean-up, as a kill would."""
    checkpoint = Checkpoint(tmp_path / "net")
    save(checkpoint, 1)
    before = at

    def counted(call):
        def counting(*args, **kwargs):
            nonlocal before
            before -= 1
            if before < 0:
                raise SystemExit
            return call(*args, **kwargs)

        return counting

    for name in ("open", "write", "rename", "fsync"):
        monkeypatch.setattr(files.os, name, counted(getattr(files.os, name)))
    monkeypatch.setattr(files.shutil, "rmtree", counted(files.shutil.rmtree))
    ended = True
    try:
        save(checkpoint, 2)
    except SystemExit:
        ended = False
    monkeypatch.undo()
    saved = checkpoint.load()
    check(saved)
    assert saved.step == 2 or not ended
    save(checkpoint, 3)
    check(checkpoint.load())
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


def test_full_disk_keeps_the_previous_one(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "net")
    save(checkpoint, 1)

    def full(handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(UserError, match=r"cannot write .*net: the disk is full; the checkpoint before it, if any, is kept"):
        save(checkpoint, 2)
    monkeypatch.undo()
    assert checkpoint.load().step == 1
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.pt", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damage_is_named(tmp_path, name, damage):
    checkpoint = Checkpoint(tmp_path / "net")
    save(checkpoint, 1)
    file = checkpoint.path / name
    data = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    with pytest.raises(UserError, match=rf"{name} is damaged or missing; delete the folder .*net .*--resume"):
        checkpoint.load()


class Tied(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.a = nn.Linear(width, 3)
        self.b = nn.Linear(width, 3)
        self.b.weight = self.a.weight
        self.norm = nn.BatchNorm1d(3)


def test_weights_round_trip_with_tied_ones(tmp_path):
    torch.manual_seed(0)
    one, two = Tied(), Tied()
    save_weights(tmp_path / "w.safetensors", one)
    load_weights(tmp_path / "w.safetensors", two)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(UserError, match=r"w\.safetensors: cannot be read"):
        load_weights(path, Tied())
    path.write_bytes(b"not weights")
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load_weights(path, Tied())
    save_weights(path, Tied(4))
    before = Tied()
    kept = before.a.weight.clone()
    with pytest.raises(UserError, match=r"does not fit this Tied: a\.weight is \(3, 4\), the network has \(3, 3\)"):
        load_weights(path, before)
    assert torch.equal(before.a.weight, kept)
    with pytest.raises(UserError, match=r"weight is missing; bias is missing; \S+ is not in the network and 8 more"):
        load_weights(path, nn.Linear(4, 3))
