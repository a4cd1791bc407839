"""Runs of version 0.1 that were written before every run could choose its engine: their networks can still be had.

A folder in `old_runs/` holds the `config.json` of a finished run (without the machine's part) and two files of its `best/`.
"""

from pathlib import Path

import pytest

from common.arch import load
from common.run.files import read_json, write_json
from common.stages.reload import reload

RUNS = sorted(path.parent for path in (Path(__file__).parent / "old_runs").glob("*/config.json"))
NEEDS = {"detection": "mmdet", "segmentation": "mmseg", "graphs": "torch_geometric"}
"""Task -> library that its networks are built with."""


def test_every_task_has_an_old_run():
    tasks = {read_json(run / "config.json")["task"] for run in RUNS}
    assert tasks >= {"classification", "detection", "gan", "graphs", "segmentation"}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_best_network_of_an_old_run_is_built_again(run):
    config = read_json(run / "config.json")
    if config["task"] in NEEDS:
        pytest.importorskip(NEEDS[config["task"]])
    assert "evaluation" not in config["settings"]["search"], "the run is not of the old form"
    reloaded = reload(run)
    arch = load(run / "best" / "arch.json", reloaded.space)
    expected = read_json(run / "best" / "metrics.json")["cost"]
    assert sum(p.numel() for p in reloaded.network(arch).parameters()) == expected["params"]
    costs = reloaded.networks.costs.of(arch)
    counted = costs.keys() - ({"macs"} if config["task"] == "graphs" else set())  # MACs of a graph grow with its nodes
    assert {name: costs[name] for name in counted} == {name: expected[name] for name in counted}


def test_settings_of_an_old_run_are_its_own_and_not_those_of_its_recipe(tmp_path):
    """Those of its search alone are of another form now; nothing that is done with a finished run needs them."""
    old = Path(__file__).parent / "old_runs" / "darts"
    config = read_json(old / "config.json")
    assert config["recipe"] == "smoke" and config["settings"]["network"]["width"] == 8
    config["settings"]["network"]["width"] = 12
    config["settings"]["space"] |= {"nodes": 1, "width": 6}
    write_json(tmp_path / "config.json", config)
    reloaded = reload(tmp_path)
    assert reloaded.described.width == 12 and reloaded.space.width == 6 and len(reloaded.space.normal.nodes) == 1
    assert reload(old).described.width == 8
