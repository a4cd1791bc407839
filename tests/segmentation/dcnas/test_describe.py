"""`describe dcnas`: one JSON object with the counts of a network."""

import json

import pytest
import torch

from common.arch import save
from common.commands import run_commands
from common.errors import UserError
from segmentation import mm
from segmentation.dcnas.derive import network_of, random_derived
from segmentation.dcnas.model import build
from segmentation.dcnas.names import read_arch
from segmentation.dcnas.networks import spaces
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.system import SYSTEM, Describing
from segmentation.heads import DecodeHead
from segmentation.systems import SYSTEMS


def described(capsys, *words: str) -> dict:
    capsys.readouterr()
    run_commands("python -m segmentation.train", SYSTEMS, ["describe", "dcnas", *words])
    return json.loads(capsys.readouterr().out)


def test_the_hand_made_wiring(capsys):
    found = described(capsys, "--arch", "unet", "--space", "smoke")
    assert found["cells"] == "6 of 11" and found["space"] == "smoke"
    assert list(found["description"]["cells"]) == ["s4_l1", "s8_l2", "s4_l3", "s2_l4", "s4_l4", "s8_l4"]
    assert "64x64" in found["convention"] and found["description"]["partial"] == 1
    space = SIZES["smoke"].space()
    net = build(network_of(space, read_arch("unet", "smoke")[2]))
    assert found["params_backbone"] == sum(p.numel() for p in net.parameters())
    whole = mm.build(net, DecodeHead(channels=32), in_channels=net.channels, classes=11)
    assert found["params"] == sum(p.numel() for p in whole.parameters())
    macs = 0

    def add(module, _, out) -> None:
        nonlocal macs
        macs += out.numel() * module.weight[0].numel()

    for part in whole.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(add)
    whole.eval()(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert found["macs"] == macs > found["macs_backbone"] > 0


@pytest.mark.parametrize("name", ["smoke", "small", "small-neighbour"])
def test_a_file_is_read_in_the_space_it_was_written_for(capsys, tmp_path, name):
    file = tmp_path / "arch.json"
    space = SIZES[name].space()
    save(file, space, random_derived(space, 2))
    found = described(capsys, "--arch", str(file))
    assert found["space"] == name
    assert found == described(capsys, "--arch", str(file), "--space", name)
    assert read_arch(str(file), None)[2] == random_derived(space, 2)


def test_what_cannot_be_read_is_refused(tmp_path):
    file, foreign = tmp_path / "arch.json", tmp_path / "foreign.json"
    space = SIZES["smoke"].space()
    save(file, space, random_derived(space, 2))
    other = spaces()["tiny dense"]
    save(foreign, other, random_derived(other, 0))
    (tmp_path / "damaged.json").write_text("{")
    cases = [
        ("unet", "large", "space 'large' does not exist; choose one of smoke"),
        ("vnet", None, "vnet: no such file"),
        (str(tmp_path), None, "is a folder"),
        (str(tmp_path / "damaged.json"), None, "damaged.json: not JSON"),
        (str(file), "small", "arch.json: "),
        (str(foreign), None, "foreign.json: "),
    ]
    for text, name, message in cases:
        with pytest.raises(UserError, match=message):
            SYSTEM.described(Describing(arch=text, space=name))


def test_help_names_what_it_takes(capsys):
    with pytest.raises(SystemExit) as stop:
        run_commands("python -m segmentation.train", SYSTEMS, ["describe", "dcnas", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("--arch", "--space", *SIZES))
    with pytest.raises(SystemExit) as stop:
        run_commands("python -m segmentation.train", SYSTEMS, ["describe", "darts", "--arch", "unet"])
    assert stop.value.code == 2
    assert "system 'darts' does not exist; choose one of dcnas" in capsys.readouterr().err
