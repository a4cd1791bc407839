"""A search that would fail is refused in one line before any work: no folder is made. The toy system stands for all."""

import csv
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from common.commands import run_commands
from common.engines import SampledEngine
from common.run.files import Jsonl
from tests.toy.system import SYSTEM

SHORT = ["train.steps=1", "search.trials=2", "search.random_baseline=false", "pictures=0"]
SHORT += ["retrain.seeds=1", "retrain.random_archs=0"]
COLUMNS = ["arch.kernels.0", "arch.kernels.1", "arch.width", "accuracy"]


def call(out: Path, *settings: str, budget: str = "") -> None:
    words = ["mynet", "--workers", "0", "--quiet", "--out", str(out), *(["--budget", budget] if budget else [])]
    run_commands("toy", (SYSTEM,), [*words, "--set", *SHORT, *settings])


def table(path: Path, columns: list[str], *rows: list[object]) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return f"search.evaluation.file={path}"


def numbers(engine: type) -> list[str]:
    """The settings of an engine that are numbers."""
    default = engine()
    return [field.name for field in fields(engine) if type(getattr(default, field.name)) in {int, float}]


@pytest.mark.parametrize("engine", get_args(SampledEngine), ids=lambda engine: engine().name)
def test_every_number_of_an_engine_has_a_range(engine, tmp_path, capsys):
    name, shares = engine().name, ["search.evaluation=scratch"] if engine.needs_shares else []
    for number in numbers(engine):
        with pytest.raises(SystemExit):
            call(tmp_path / "run", f"search.engine={name}", f"search.engine.{number}=-1", *shares)
        error = capsys.readouterr().err
        assert error.startswith("error: search.engine") and number in error
        assert "-1" in error and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["search.engine=pnas", "search.engine.groups=[[]]"], "some empty: name at least one decision for each"),
        (["search.engine=pnas", 'search.engine.groups=[["kernels.9"]]'], "no decision 'kernels.9'"),
        (["search.engine=halving", "search.evaluation=inherited"], "give search.evaluation=scratch or proxy"),
        (["search.engine=econas", "search.evaluation=table"], "give search.evaluation=scratch or proxy"),
        (["search.engine=bogus"], "engine is one of random, exhaustive"),
        (["search.evaluation=bogus"], "evaluation is one of inherited, scratch"),
        (["search.engine=random", "search.engine.population=3"], "Random has no field 'population'"),
        (["search.population=3"], "engine has: engine.population"),
        (["search.engine=aging", "search.engine.tournament=30"], "tournaments of 30"),
        (["search.reward=accurcy / macs"], "accurcy"),
        (["search.reward=accuracy / 0"], "search.reward"),
        (["search.reward=accuracy / (macs - macs)"], "search.reward"),
        (["search.reward=__import__('os')"], "search.reward"),
        (["search.reward=macs"], "search.reward"),
        (["search.engine=gradient", "search.reward=accuracy"], "give search.engine.reward=METRIC"),
        (["search.engine=controller", "search.engine.reward=accurcy"], "search.engine.reward='accurcy': accurcy is neither"),
        (["search.engine=controller", "search.engine.reward=macs"], "it reads no score"),
        (["search.engine=controller", "search.engine.policy=own"], "mynet brings no policy; give lstm or independent"),
        (["search.engine=controller", "search.engine.arch.every=2"], "every=2 the policy has no turn in 1 steps"),
        (["search.engine=controller", "search.engine.halve=[1.0]"], "search.engine.halve=[1.0]: give shares above 0 and below 1"),
        (["search.engine=controller", "train.ema=0.9"], "ema=0.9: an architecture learns from the weights of every step"),
        (["search.engine=controller", "search.engine.arch.lr=0"], "arch.lr=0"),
        (["search.evaluation=proxy"], "it has no overrides"),
        (["search.evaluation=proxy", 'search.evaluation.overrides=["train.stps=1"]'], "no field 'stps'"),
        (["search.evaluation.cuts=2"], "classification data cannot be cut anew"),
        (["search.evaluation=predictor", "search.evaluation.hidden=[0]"], "search.evaluation.hidden=[0]"),
        (["search.evaluation=predictor", "search.evaluation.fitted=-1"], "search.evaluation.fitted=-1: give 2"),
        (["search.engine=topk", "search.engine.mutants=-1"], "search.engine.mutants=-1: give 0"),
        (["search.evaluation=table"], "search.evaluation.file"),
        (["search.evaluation=table", "search.evaluation.file=nowhere.csv"], "nowhere.csv"),
        (['tune.grid={"data.size":[8,16]}'], "changes the data"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(settings, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        call(tmp_path / "run", *settings)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1 and said in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ([*COLUMNS[:2], "accuracy"], [["1", "1", "0.5"], ["3", "1", "0.6"]], "decision 'width' is missing"),
        ([*COLUMNS[:3], "loss"], [["1", "1", "4", "0.5"], ["3", "1", "4", "0.5"]], "accuracy"),
        (COLUMNS, [["7", "1", "4", "0.5"], ["3", "1", "4", "0"]], "'7'"),
    ],
)
def test_a_table_that_lacks_something_is_refused(columns, rows, said, tmp_path, capsys):
    file = table(tmp_path / "scores.csv", columns, *rows)
    with pytest.raises(SystemExit) as stopped:
        call(tmp_path / "run", "search.evaluation=table", file)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1 and said in error
    assert not (tmp_path / "run").exists()


def test_a_table_whose_rows_break_the_budget_is_refused(tmp_path, capsys):
    rows = [["5", "5", "8", "0.9"], ["5", "3", "8", "0.8"]]
    file = table(tmp_path / "scores.csv", COLUMNS, *rows)
    with pytest.raises(SystemExit):
        call(tmp_path / "run", "search.evaluation=table", file, budget="macs=40000")
    assert "a row in" in capsys.readouterr().err


@pytest.fixture(scope="module")
def rewarded(tmp_path_factory) -> Path:
    """A run whose search follows the smaller network, nearly whatever its accuracy."""
    path = tmp_path_factory.mktemp("reward") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.system_task.SystemTask.export", lambda task, network, folder: 0.0)
        call(path, "search.engine=exhaustive", "search.reward=accuracy - 10 * macs / 1e5")
    return path


def test_the_reward_is_what_the_search_follows(rewarded):
    trials = Jsonl(rewarded / "trials.jsonl").rows()
    assert len(trials) == 18
    for row in trials:
        assert row["scores"]["reward"] == pytest.approx(row["scores"]["accuracy"] - 10 * row["cost"]["macs"] / 1e5)
    (search,) = (row["result"] for row in Jsonl(rewarded / "stages.jsonl").rows() if row["stage"] == "search")
    best = max(trials, key=lambda row: (row["scores"]["reward"], -row["id"]))
    assert search["best"] == best["id"] and search["follows"] == ["reward"]
    assert best["arch"] == {"kernels.0": "1", "kernels.1": "1", "width": "4"}


def test_the_report_shows_the_reward_and_compares_networks_by_the_task_s_own_score(rewarded):
    html = (rewarded / "report.html").read_text(encoding="utf-8")
    assert "accuracy - 10 * macs / 1e5" in html and "the best has reward" in html
    assert "on the test split, accuracy is" in html
