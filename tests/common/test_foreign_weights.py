"""Published weights: what is read, and how files of something else are refused."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from common.errors import UserError
from common.foreign_weights import load_strictly, read_state

REMEDY = "give another file"


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))


@pytest.mark.parametrize("form", ["plain", "wrapped", "safetensors"])
def test_states_are_read_in_every_form(tmp_path, form):
    state = network().state_dict()
    file = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        save_file(state, file)
    else:
        torch.save(state if form == "plain" else {"state_dict": state, "epoch": 3}, file)
    found = read_state(file, REMEDY)
    assert found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)
    other = network()
    load_strictly(other, found, str(file), "this network")
    assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())


class Harm:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code has run')",))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda file: None, "cannot be read"),
        (lambda file: file.write_bytes(b"nothing"), "holds no weights that can be read"),
        (lambda file: file.write_bytes(pickle.dumps(Harm())), "holds no weights that can be read"),
        (lambda file: torch.save([torch.ones(2)], file), "holds no named tensors"),
        (lambda file: torch.save({"epoch": 3}, file), "holds no named tensors"),
        (lambda file: torch.save({}, file), "holds no named tensors"),
        (lambda file: torch.save({"state_dict": {"a": 1}}, file), "holds no named tensors"),
        (lambda file: torch.save({"state_dict": torch.ones(1)}, file), "holds no named tensors"),
    ],
)
def test_other_files_are_refused(tmp_path, write, says):
    write(tmp_path / "w.pth")
    with pytest.raises(UserError, match=rf"w.pth: {says}.*; give another file"):
        read_state(tmp_path / "w.pth", REMEDY)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("0.bias"), "0.bias is missing"),
        (lambda state: state.update({"2.weight": torch.ones(1)}), "2.weight is not in the network"),
        (lambda state: state.update({"0.bias": torch.ones(4)}), r"0.bias is \(4,\), the network has \(3,\)"),
    ],
)
def test_weights_of_another_network_are_refused(change, says):
    state = network().state_dict()
    change(state)
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(UserError, match=f"file does not fit this network: {says}; give weights of this architecture"):
        load_strictly(module, state, "file", "this network")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_classifier_may_be_left_out_and_old_files_count_no_batches():
    state = {name: value for name, value in network().state_dict().items() if not name.endswith("num_batches_tracked")}
    load_strictly(network(), {**state, "fc.weight": torch.ones(1)}, "file", "this network", ["fc.weight"])
