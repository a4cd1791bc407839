"""Every engine under every evaluation: the toy system runs to a report, or one line says why not."""

import dataclasses
from pathlib import Path

import pytest
from markupsafe import Markup

from common.arch import labels
from common.commands import run_commands
from common.engines import Problem, Reinforce
from common.listing import ROOT, compatibility, engine_kinds, engines_page, evaluation_kinds
from common.objective import Objective
from common.run.files import Jsonl, read_json
from common.space import enumerate_all
from tests.toy.system import BASELINE, SYSTEM, MyNet

PAIRS = [(engine, evaluation) for (engine, evaluation), why in compatibility().items() if not why]
REFUSED = {pair: why for pair, why in compatibility().items() if why}
ENGINE_SETTINGS = {
    "topk": ["population=3", "mutants=1", "crossovers=1", "parents=2"],
    "aging": ["population=3", "tournament=2"],
    "tournament": ["population=3", "share=0.5"],
    "nsga2": ["population=3"],
    "npenas": ["first=3", "later=2", "candidates=4", "parents=2", "predictor.steps=5"],
    "nao": ["first=3", "later=2", "seeds=2", "ascents=2", "steps=5"],
    "pnas": ["first=2", "beam=2", "predictor.steps=5"],
    "econas": ["shares=[0.5,1.0]", "initial=3", "continued=[1]", "parents=[1,1]"],
    "halving": ["shares=[0.5,1.0]", "candidates=3", "eta=2"],
}
EVALUATION_SETTINGS = {
    "proxy": ['overrides=["train.batch=16"]'],
    "predictor": ["fitted=3", "verified=1", "hidden=[4]", "members=1"],
    "inherited": ["calibration_batches=1", "calibration_batch=16", "images=32"],
}
RUN = [
    "train.steps=2",
    "search.trials=5",
    "search.random_baseline=false",
    "retrain.seeds=1",
    "retrain.random_archs=0",
    "pictures=0",
]


def settings_of(engine: str, evaluation: str, table: Path) -> list[str]:
    of_evaluation = [f"file={table}"] if evaluation == "table" else EVALUATION_SETTINGS.get(evaluation, [])
    return [
        *RUN,
        f"search.engine={engine}",
        *(f"search.engine.{word}" for word in ENGINE_SETTINGS.get(engine, [])),
        f"search.evaluation={evaluation}",
        *(f"search.evaluation.{word}" for word in of_evaluation),
    ]


def call(out: Path, *settings: str) -> None:
    run_commands("toy", (SYSTEM,), ["mynet", "--workers", "0", "--quiet", "--out", str(out), "--set", *settings])


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Scores of all 18 architectures: the larger the kernels, the better."""
    path = tmp_path_factory.mktemp("table") / "scores.jsonl"
    log = Jsonl(path)
    for arch in enumerate_all(MyNet()):
        log.append({"arch": labels(MyNet(), arch), "scores": {"accuracy": sum(arch.values()) / 10, "loss": 1.0}})
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The exporter to ONNX and the charts take most of so short a run; tests of the tasks and of the report have them."""
    monkeypatch.setattr("common.system_task.SystemTask.export", lambda task, network, folder: 0.0)
    monkeypatch.setattr("common.run.report.charts._svg", lambda figure, axes, name, *, x, y, label: Markup("<svg></svg>"))


OTHERWISE = {("halving", "candidates"): "initial", ("topk", "lean"): "", ("nao", "steps"): ""}
"""Settings that the searcher calls by another name, or has in another form (tested where they belong)."""
WITH_CLIP = Reinforce(clip=0.2)
"""Several epochs need a clip."""


TRAINING = ("gradient", "controller")
"""Engines that train a supernet themselves: their settings do not go to a searcher."""
SEARCHING = [one for one in (kind() for kind in engine_kinds()) if one.name not in TRAINING]


@pytest.mark.parametrize("engine", SEARCHING, ids=lambda engine: engine.name)
def test_every_number_of_an_engine_reaches_its_searcher(engine):
    problem = Problem(space=MyNet(), objectives=[Objective("accuracy")], baseline=BASELINE, order=[["width"], ["kernels.0"]])
    for field in dataclasses.fields(engine):
        value = getattr(engine, field.name)
        if type(value) not in (int, float) or not (name := OTHERWISE.get((engine.name, field.name), field.name)):
            continue
        changed = value + 1 if type(value) is int else value / 2 + 0.1
        base = WITH_CLIP if engine.name == "reinforce" else engine
        searcher = dataclasses.replace(base, **{field.name: changed}).searcher(problem)
        assert getattr(searcher, name) == changed, field.name


def test_a_proxy_trains_candidates_as_the_variant_says(tmp_path):
    def scores(name: str, *settings: str) -> list[dict[str, float]]:
        call(tmp_path / name, *RUN, "search.engine=random", "search.trials=3", *settings)
        return [row["scores"] for row in Jsonl(tmp_path / name / "trials.jsonl").rows()]

    proxy = scores("proxy", "search.evaluation=proxy", 'search.evaluation.overrides=["train.batch=16"]')
    assert proxy == scores("variant", "search.evaluation=scratch", "train.batch=16")
    assert proxy != scores("task", "search.evaluation=scratch")


@pytest.mark.parametrize(("engine", "evaluation"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_every_engine_runs_to_a_report_under_every_evaluation_that_it_can_serve(engine, evaluation, table, tmp_path):
    call(tmp_path / "run", *settings_of(engine, evaluation, table))
    stages = {row["stage"]: row["result"] for row in Jsonl(tmp_path / "run" / "stages.jsonl").rows()}
    trials = Jsonl(tmp_path / "run" / "trials.jsonl").rows()
    evaluated = {tuple(sorted(row["arch"].items())) for row in trials if row["fidelity"] == "full"}
    assert len(evaluated) >= (1 if engine in ("halving", "econas") else 2)
    best = [row for row in trials if row["id"] == stages["search"]["best"]]
    assert best[0]["arch"] == stages["search"]["arch"] and best[0]["status"] == "ok"
    assert stages["search"]["follows"] == (["accuracy", "macs"] if engine == "nsga2" else ["accuracy"])
    assert ("front" in stages["search"]) == (engine == "nsga2")
    assert ("supernet supernet" in stages) == (evaluation == "inherited" and engine != "controller")
    assert ("supernet and policy" in stages) == (engine == "controller")
    config = read_json(tmp_path / "run" / "config.json")["settings"]["search"]
    assert (config["engine"]["name"], config["evaluation"]["name"]) == (engine, evaluation)
    assert "MyNet" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    if evaluation == "table":
        assert all(row["scores"]["accuracy"] <= 0.5 for row in trials)
        if engine == "exhaustive":
            assert stages["search"]["scores"]["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("engine", "evaluation"), [pair for pair in REFUSED if pair[0] != "gradient"], ids=lambda name: str(name)
)
def test_every_other_pair_is_refused_in_one_line_before_any_work(engine, evaluation, table, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        call(tmp_path / "run", *settings_of(engine, evaluation, table))
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said.count("\n") == 1
    assert f"search.engine={engine}" in said and "give search.evaluation=scratch" in said
    assert not (tmp_path / "run").exists()


def test_a_gradient_based_search_runs_to_a_report(tmp_path):
    options = ["search.engine=gradient", "search.engine.options.kind=hard-gumbel", "search.engine.snapshots=2"]
    call(tmp_path / "run", *RUN, *options)
    stages = [row["stage"] for row in Jsonl(tmp_path / "run" / "stages.jsonl").rows()]
    assert stages == ["search", "retrain", "export"]


def test_at_least_nine_engines_serve_inherited_and_from_scratch():
    both = [k().name for k in engine_kinds() if {(k().name, "inherited"), (k().name, "scratch")} <= set(PAIRS)]
    assert len(both) >= 9


def test_the_table_of_the_documentation_is_that_of_the_code():
    assert (ROOT / "docs" / "engines.md").read_text(encoding="utf-8") == engines_page()
    rows = {
        line.split("|")[1].strip(" `"): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in engines_page().splitlines()
        if line.startswith("| `") and line.count("|") == len(evaluation_kinds()) + 2
    }
    for engine in engine_kinds():
        for evaluation, cell in zip(evaluation_kinds(), rows[engine().name], strict=True):
            assert (cell == "yes") == ((engine().name, evaluation().name) in PAIRS)
