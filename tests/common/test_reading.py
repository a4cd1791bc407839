"""Run folders read from Python: those of published systems and of own networks."""

import json
import sys

import pytest
import torch

from common import Run, UserError, start
from common.run.files import Jsonl
from common.starting import method_named
from tests.common.own import problem
from tests.common.own.problem import Net, searched

pytestmark = pytest.mark.xdist_group("reading")


MICRO = """
space.extended=false space.widths=[16] space.heads=[1] train.steps=2 search.trials=2 search.random_baseline=false
retrain.seeds=1 retrain.random_archs=0 retrain.hand_made=false pictures=1 tune.grid={}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return searched(tmp_path_factory.mktemp("reading") / "run")


def test_rows_are_those_of_the_files(run):
    trials, lines = run.trials(), Jsonl(run.path / "trials.jsonl").rows()
    assert [(row.arch, row.scores, row.cost) for row in trials] == [
        (line["arch"], line["scores"], line["cost"]) for line in lines
    ]
    assert all(row.ok and row.fidelity == "full" for row in trials)
    with pytest.raises(UserError, match="trials of 'halving': give 'search' or 'random'"):
        run.trials("halving")


def test_frames_have_a_column_for_every_decision_score_and_cost(run):
    pytest.importorskip("pandas")
    frame = run.trials_frame()
    assert list(frame["arch.width"]) == [row.arch["width"] for row in run.trials()]
    assert {"score.accuracy", "score.loss", "cost.params", "cost.macs", "status", "seconds"} <= set(frame.columns)
    best = run.retrained_frame().query("kind == 'searched'")["val.accuracy"].max()
    assert best == run.best().val["accuracy"]


def test_a_frame_without_pandas_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match=r"a frame needs the package pandas: pip install 'tasknas\[frames\]'; rows need none"):
        run.trials_frame()


def test_a_frame_is_a_table_that_the_engines_are_compared_on(run, tmp_path):
    """The columns are those of a user's own table."""
    pytest.importorskip("pandas")
    from pathlib import Path

    from common.tables.own import read_table

    file = Path(tmp_path) / "trials.csv"
    run.trials_frame().to_csv(file, index=False)
    table = read_table(file, "accuracy", costs=["macs"])
    assert table.rows == len({tuple(row.arch.items()) for row in run.trials()})


def test_best_is_the_training_in_the_best_folder(run):
    best = run.best()
    metrics = json.loads((run.path / "best" / "metrics.json").read_text())
    assert (best.val, best.test, int(best.seed)) == (metrics["val"], metrics["test"], metrics["seed"])
    assert run.arch() == best.arch and run.cost("baseline")["params"] > 0
    with pytest.raises(UserError, match="no network 'smallest' was trained; there is 'searched', 'random 1', 'baseline'"):
        run.cost("smallest")


def test_a_description_is_what_the_build_function_takes(run):
    for name in ("searched", "baseline"):
        description = run.description(name)
        assert description == Net(*(int(run.arch(name)[field]) for field in ("width", "kernel")))
        assert sum(p.numel() for p in problem.build(description).parameters()) == run.cost(name)["params"]
    with pytest.raises(UserError, match="no network 'smallest' was trained"):
        run.description("smallest")
    with pytest.raises(UserError, match="a run folder holds no code"):
        Run(run.path).description()


def test_an_own_network_needs_its_build_function_and_its_space(run):
    for bare in (Run(run.path), Run(run.path, build=problem.build)):
        with pytest.raises(
            UserError, match=r"a run folder holds no code; in Python: common\.Run\(.*, build=build, space=Net\(\)\)"
        ):
            bare.network()
    other = Run(run.path, build=problem.build, space=Net(3, run.space.kernel))
    with pytest.raises(UserError, match="another space"):
        other.network()
    again = Run(str(run.path), build=problem.build, space=run.space)
    for name, value in again.network("baseline", 1).state_dict().items():
        assert torch.equal(value, run.network("baseline", 1).state_dict()[name])
    with pytest.raises(UserError, match="no network 'baseline' of seed 7"):
        again.network("baseline", 7)


def test_an_own_network_is_exported_from_its_folder(run, tmp_path):
    pytest.importorskip("onnxruntime")
    folder = Run(run.path, build=problem.build, space=run.space).export("random 1", out=tmp_path / "onnx")
    assert {path.name for path in folder.iterdir()} >= {"model.onnx", "use.py", "arch.json"}
    import subprocess

    import numpy as np

    np.save(tmp_path / "x.npy", problem.POINTS[:3].numpy())
    done = subprocess.run(
        [sys.executable, str(folder / "use.py"), "x.npy"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "output0.npy: shape (3, 2)" in done.stdout, done.stderr
    with torch.no_grad():
        expected = run.network("random 1", 0)(problem.POINTS[:3])
    assert np.allclose(np.load(tmp_path / "output0.npy"), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"inputs": []}, "says nothing about the inputs"),
        ({"inputs": ["float32 (1, 1, 4"]}, "is no type and shape"),
        ({"inputs": ["Tensor (1)"]}, "is no type and shape"),
        (None, "says nothing about the inputs"),
    ],
)
def test_a_damaged_config_is_named(run, tmp_path, entry, message):
    (tmp_path / "space.json").write_text((run.path / "space.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**run.config, "data": entry}))
    with pytest.raises(UserError, match=message):
        Run(tmp_path, build=problem.build, space=run.space).network()


def test_damaged_rows_are_refused_here_and_left_out_of_the_report(run, tmp_path):
    for name in ("config.json", "space.json", "retrained.jsonl"):
        (tmp_path / name).write_text((run.path / name).read_text())
    (tmp_path / "trials.jsonl").write_text('{"id": 0, "arch"\n')
    damaged = Run(tmp_path)
    with pytest.raises(UserError, match=r"trials\.jsonl: 1 damaged line"):
        damaged.trials()
    assert len(damaged.retrained()) == 6 and damaged.report().is_file() and not damaged.finished


def test_a_run_that_has_not_come_so_far_says_so(run, tmp_path):
    for name in ("config.json", "space.json"):
        (tmp_path / name).write_text((run.path / name).read_text())
    early = Run(tmp_path)
    assert early.trials() == () and early.stages == () and not early.finished
    with pytest.raises(UserError, match=r"the run is not finished .*; to go on with it: call it as before with resume=True"):
        early.best()
    with pytest.raises(UserError, match=r"is no run folder: it has no config\.json"):
        Run(tmp_path / "nowhere")


def test_a_published_method_starts_from_python_and_gives_its_run(tmp_path):
    given = {"overrides": MICRO.split(), "quiet": True, "device": "cpu", "out": tmp_path / "run"}
    run = start("random", **given)
    assert run.finished and len(run.trials()) == 2 and run.network("searched", 0).training is False
    with pytest.raises(UserError, match="holds a run; give resume=True to go on with it, or another out"):
        start("random", **given)
    again = start("random", **given, resume=True)
    assert again.trials() == run.trials()


def test_an_unknown_method_names_the_nearest():
    assert method_named("pc-darts")[1].title == "PC-DARTS"
    with pytest.raises(UserError, match=r"no method 'detnass': did you mean 'detnas'\?"):
        start("detnass")
