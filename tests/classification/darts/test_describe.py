"""`describe darts`: one JSON object with the counts of a cell."""

import json

import pytest

from classification.cells.genotypes import published, read_genotype
from classification.systems import SYSTEMS
from common.commands import run_commands

SNAS = [2_313_622, 374_912_640, 476_426], [3_561_952, 395_715_840]


def described(capsys, *words: str) -> dict:
    capsys.readouterr()
    run_commands("python -m classification.train", SYSTEMS, ["describe", "darts", *words])
    return json.loads(capsys.readouterr().out)


def test_a_published_cell(capsys):
    found = described(capsys, "--arch", "SNAS_aggressive")
    assert [found["params"], found["macs"], found["params_auxiliary"]] == SNAS[0]
    assert "36" in found["convention"] and "32x32" in found["convention"]
    assert read_genotype(found["genotype"]) == published()["SNAS_aggressive"]
    assert found["description"]["width"] == 36 and found["description"]["auxiliary"] is False
    again = described(capsys, "--arch", found["genotype"])  # the text works like the name
    assert again == {**found, "arch": found["genotype"]}


def test_the_imagenet_skeleton(capsys):
    found = described(capsys, "--arch", "SNAS_aggressive", "--skeleton", "imagenet")
    assert [found["params"], found["macs"]] == SNAS[1]
    assert found["skeleton"] == "imagenet" and "224x224" in found["convention"]


def test_help_names_what_it_takes(capsys):
    with pytest.raises(SystemExit) as stop:
        run_commands("python -m classification.train", SYSTEMS, ["describe", "darts", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("--arch", "--skeleton", "DARTS_V2"))


def test_a_method_is_described_by_its_system(capsys):
    with pytest.raises(SystemExit) as stop:
        run_commands("python -m classification.train", SYSTEMS, ["describe", "p-darts", "--arch", "PDARTS"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: 'p-darts' is a method of the system darts, whose networks are described: describe darts\n"
    )
