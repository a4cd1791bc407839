"""A search from the command line to the report: what a run leaves, and what decides it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common import cli
from graphs.pdnas.methods import METHODS
from graphs.pdnas.space import SpaceSettings
from graphs.task import GraphTask
from tests.common.run.rows import rows
from tests.graphs.data.makers import write_planetoid
from tests.graphs.micro import DERIVE, NAMES, PRICED, call, order, results, task_of, tiny, words

pytestmark = [pytest.mark.xdist_group("graphs-micro"), pytest.mark.timeout(300)]

STAGES = ["search", "tune", "retrain", "export"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A micro run that was never disturbed."""
    path = tmp_path_factory.mktemp("pdnas") / "run"
    call(words(path))
    return path


@pytest.fixture
def no_export(monkeypatch) -> None:
    """The export takes longer than all else together."""
    monkeypatch.setattr(GraphTask, "export", lambda self, network, folder: 0.0)


def test_every_stage_ran_and_left_its_files(finished):
    found = results(finished)
    assert order(finished, *STAGES) == STAGES
    stages = {row["stage"]: row["result"] for row in found["stages"]}
    assert [row["name"] for row in found["retrained"]] == NAMES
    for row in found["retrained"]:
        assert row["val"].keys() == row["test"].keys() == {"accuracy", "loss"}
        assert 0 <= row["test"]["accuracy"] <= 1 and row["cost"].keys() == {"params", "macs"}
        assert row["tuned"] == stages["tune"]["chosen"][row["name"]]
        assert f"retrained/{row['name'].replace(' ', '-')}-0.safetensors" in found
    assert [(row["name"], row["words"]) for row in found["tuned"]] == [
        (name, [f"network.dropout={rate}"]) for rate in ("0.0", "0.4") for name in NAMES
    ]
    assert stages["search"]["arch"] == found["retrained"][0]["arch"] and stages["search"]["snapshots"] == 3
    assert sum(row["stage"] == "search" and "entropy" in row["values"] for row in found["metrics"]) == 3
    best = json.loads((finished / "best" / "metrics.json").read_text())
    assert best["test"] == found["retrained"][0]["test"]
    samples = json.loads((finished / "samples" / "samples.json").read_text())
    assert samples and all((finished / "samples" / row["file"]).read_bytes()[:4] == b"\x89PNG" for row in samples)


def test_config_and_report_say_what_was_done(finished):
    assert "Retrained networks are compared on the test split" in (finished / "report.html").read_text()
    config = json.loads((finished / "config.json").read_text())
    assert (config["task"], config["system"], config["title"]) == ("graphs", "pdnas", "PDNAS")
    assert (config["data"]["features"], config["data"]["labelled"]) == (8, {"train": 18, "val": 18, "test": 24})
    report = (finished / "report.html").read_text()
    for shown in ("PDNAS", "arXiv:2003.09676", "search: entropy", "ARMA", "network.dropout", "its own split", "test nodes"):
        assert shown in report, shown
    assert 'src="http' not in report and report.count("data:image/png;base64") >= 2


def test_the_exported_network_and_the_command_line_say_the_same_of_a_graph(finished, tmp_path, capsys):
    """Of another size than the one that was learnt, with a node that has no neighbour."""
    rng = np.random.default_rng(0)
    one_way = rng.integers(0, 20, (2, 40))
    one_way = one_way[:, one_way[0] != one_way[1]]
    graph = tmp_path / "graph.npz"
    np.savez(graph, x=rng.normal(size=(21, 8)).astype(np.float32), edge_index=np.concatenate([one_way, one_way[::-1]], 1))
    script = [sys.executable, finished / "best" / "use.py", graph]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["node"] for row in said] == list(range(21)) and len({row["class"] for row in said}) > 1
    capsys.readouterr()
    cli.predict(finished, (graph,), tmp_path / "out")
    row = json.loads(capsys.readouterr().out)
    with open(row["table"], newline="") as table:
        found = list(csv.DictReader(table))
    assert [(int(one["node"]), one["class"]) for one in found] == [(one["node"], one["class"]) for one in said]
    assert [float(one["probability"]) for one in found] == pytest.approx([one["probability"] for one in said], abs=2e-4)
    assert sum(row["nodes"].values()) == 21 and all(0 < one["probability"] <= 1 for one in said)


def test_resuming_a_finished_run_changes_nothing(finished, capsys):
    before, report = results(finished), (finished / "report.html").read_bytes()
    call(words(finished, "--resume"))
    assert results(finished) == before and (finished / "report.html").read_bytes() == report
    assert capsys.readouterr().out == f"{finished}/report.html\n"
    with pytest.raises(SystemExit) as stop:
        call(words(finished, "--resume", settings=["search.engine.snapshots=2"]))
    assert stop.value.code == 2 and "search.engine.snapshots was 3, is now 2" in capsys.readouterr().err
    assert results(finished) == before


def test_the_seed_decides_and_nothing_else(finished, tmp_path, no_export):
    call(words(tmp_path / "same", settings=["save_every=100"]))
    assert results(tmp_path / "same") == results(finished)
    call(words(tmp_path / "other", "--seed", "1"))
    other, own = results(tmp_path / "other"), results(finished)
    for name in ("metrics", "tuned", "retrained", "strengths.json", "weights/search.safetensors"):
        assert other[name] != own[name], name


@pytest.mark.parametrize("method", METHODS[1:], ids=lambda method: method.name)
def test_every_method_goes_from_a_graph_to_a_report(method, tmp_path, no_export):
    path = tmp_path / "run"
    call(words(path, method=method.name))
    assert order(path, *STAGES) == STAGES and method.title in (path / "report.html").read_text()
    trials, retrained = rows(path, "trials"), rows(path, "retrained")
    assert [row["status"] for row in trials] == ["ok"] * 3 and [row["name"] for row in retrained] == NAMES
    whole = [row for row in trials if row["fidelity"] == "full"]
    best = max(whole, key=lambda row: (row["scores"]["accuracy"], -row["id"]))
    assert retrained[0]["arch"] == best["arch"] and len(whole) == (1 if method.name == "halving" else 3)


@pytest.mark.parametrize("engine", ["topk", "pnas"])
def test_candidates_inherit_the_weights_of_a_supernet(engine, tmp_path, no_export):
    """As any engine of the project can be asked for."""
    path = tmp_path / "run"
    call(words(path, method="random", settings=[f"search.engine={engine}", "search.evaluation=inherited", "tune.grid={}"]))
    assert order(path, "supernet weights", *STAGES) == ["supernet weights", "search", "retrain", "export"]
    assert [row["status"] for row in rows(path, "trials")] == ["ok"] * 3
    assert all(row["inherited"].keys() == {"accuracy", "loss"} for row in rows(path, "retrained"))


def test_a_budget_holds_for_all_but_the_hand_made_networks(tmp_path, no_export):
    """In a space that is quickly priced: GCN is the cheapest there is, half of all widths make a network too large."""
    task = task_of(tiny(space=SpaceSettings(widths=(16, 64), heads=(1,))))
    upper = task.costs(task.baseline)["params"] + 200
    path = tmp_path / "run"
    call(words(path, "--budget", f"params={upper}", settings=[*PRICED, DERIVE]))
    costs = {row["name"]: row["cost"]["params"] for row in rows(path, "retrained")}
    assert list(costs) == [*NAMES[:3], "SAGE"]
    assert max(costs["searched"], costs["random 1"]) <= upper < costs["SAGE"]
    trials = rows(path, "trials")
    assert len(trials) == 3 and all(row["cost"]["params"] <= upper for row in trials)


def test_random_search_at_equal_cost_is_a_rival(tmp_path, no_export):
    """Of a search whose candidates are trained at last: both halves are paid for."""
    path = tmp_path / "run"
    call(words(path, settings=[DERIVE, "search.random_baseline=true", "search.engine.rivals=2"]))
    stages = {row["stage"]: row["result"] for row in rows(path, "stages")}
    assert list(stages)[:3] == ["relaxed search", "search", "random search"]
    flops = stages["random search"]["flops"]
    assert 0 < flops["random"] <= flops["search"]
    found = {row["name"]: row for row in rows(path, "retrained")}
    assert found["random search"]["kind"] == "baseline" and found["random search"]["arch"] == stages["random search"]["arch"]
    report = (path / "report.html").read_text()
    assert "as many floating-point operations as the search" in report and "random search (baseline)" in report


def test_a_planetoid_folder_is_never_written_to(tmp_path, no_export):
    folder = write_planetoid(tmp_path / "data" / "Tiny" / "raw").parents[1]

    def listing() -> list[tuple[Any, ...]]:
        files = sorted([folder, *folder.rglob("*")])
        return [(file, file.stat().st_mtime_ns, file.read_bytes() if file.is_file() else None) for file in files]

    before = listing()
    call(words(tmp_path / "run", data=["--data", str(folder), "--name", "Tiny"], method="random"))
    assert listing() == before and len(before) == 11
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["data"] == {"folder": str(folder), "name": "Tiny", "skip_bad": False, "normalise": None}
    assert config["data"]["labelled"] == {"train": 9, "val": 500, "test": 20}
