"""Tuning: what is tried, what is best, that cuts leave no trace, and that retraining takes what was chosen."""

import signal
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file

from common.errors import UserError
from common.evaluate.scratch import FromScratch
from common.objective import Objective
from common.overrides import override
from common.space import Arch
from common.stages import tune as module
from common.stages.retrain import Retrain
from common.stages.settings import RetrainSettings, TuneSettings
from common.stages.tune import Tune, best, combinations
from common.streams import derive
from tests.common.run.killing import die, forked, status
from tests.common.run.rows import rows
from tests.common.stages.toy import SEARCH, TunedToy, find, opened

WINNER = Arch({"kernels.0": 3, "kernels.1": 0})
RETRAIN = Retrain(
    settings=RetrainSettings(random_archs=1, seeds=1), search=SEARCH, others={"Big": Arch({"kernels.0": 3, "kernels.1": 3})}
)
NAMES = ["searched", "random 1", "baseline", "Big"]
GRID = {"training.optim.lr": (1e-6, 0.3), "training.optim.momentum": (0.0, 0.9)}
TUNE = Tune(settings=TuneSettings(grid=GRID, seeds=2), retrain=RETRAIN)
WORDS = [(f"training.optim.lr={lr}", f"training.optim.momentum={m}") for lr in ("1e-06", "0.3") for m in ("0.0", "0.9")]


def test_every_combination_is_tried_in_the_order_of_the_grid():
    assert combinations(TUNE.settings, Random(0)) == WORDS
    assert combinations(TuneSettings(grid={}), Random(0)) == [()]
    assert combinations(TuneSettings(grid={"a.b": (1e-20, 0.1 + 0.2)}), Random(0)) == [
        ("a.b=1e-20",),
        ("a.b=0.30000000000000004",),
    ]


def test_a_part_of_the_combinations_is_drawn_in_the_order_of_the_grid():
    for most in (1, 3):
        drawn = combinations(TuneSettings(grid=GRID, most=most), Random(1))
        assert len(set(drawn)) == most and drawn == sorted(drawn, key=WORDS.index)
    assert len({tuple(combinations(TuneSettings(grid=GRID, most=2), Random(seed))) for seed in range(9)}) > 1
    assert combinations(TuneSettings(grid=GRID, most=9), Random(1)) == WORDS


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": {"x": ()}}, r"tune\.grid: x has no values; give one or more"),
        ({"grid": {}, "seeds": 0}, r"tune\.seeds=0: give 1"),
        ({"grid": {}, "cuts": 0}, r"tune\.cuts=0: give 1"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        TuneSettings(**settings)


def scored(*values: float | None, name: str = "net", metric: str = "score") -> list[dict]:
    """A row for each value, of the combinations a, b, c, a, b, c ...; None has diverged."""
    words = [["abc"[i % 3]] for i in range(len(values))]
    return [{"name": name, "words": w, "val": {} if v is None else {metric: v}} for w, v in zip(words, values, strict=True)]


@pytest.mark.parametrize(
    ("values", "highest", "lowest"),
    [
        ((0.1, 0.3, 0.2), "b", "a"),
        ((0.3, 0.3, 0.3), "a", "a"),  # the first of equals
        ((0.1, 0.2, 0.2), "b", "a"),
        ((0.2, 0.1, 0.1), "a", "b"),
        ((None, -5.0, None), "b", "b"),  # what diverged comes last, however bad the others are
        ((nan, 0.1, 0.2), "c", "b"),
        ((inf, 0.1, -inf), "b", "b"),
        ((None, None, None), "a", "a"),
        ((0.4, 0.5, 0.6, 0.6, 0.7, 0.3), "b", "c"),  # means over two seeds: 0.5, 0.6, 0.45
        ((0.4, 0.9, 0.6, 0.4, None, 0.3), "c", "a"),  # one that diverged under one seed is not chosen
        ((0.4,), "a", "a"),  # what was not tried neither
    ],
)
def test_the_best_combination(values, highest, lowest):
    grid = [("a",), ("b",), ("c",)]
    found = [*scored(9.0, -9.0, 5.0, name="other"), *scored(*values), *scored(-9.0, 9.0, 5.0, name="another")]
    assert best(found, "net", grid, Objective("score")) == (highest,)
    assert best(found, "net", grid, Objective("score", "min")) == (lowest,)
    if None not in values and nan not in values and inf not in values and len(values) == 3:
        assert best(found[::-1], "net", grid, Objective("score")) == (highest,), "whatever the order of the rows"


def test_a_score_of_another_name_is_none():
    grid = [("a",), ("b",), ("c",)]
    found = [*scored(0.9, metric="loss"), *scored(None, 0.1, None)[1:]]
    assert best(found, "net", grid, Objective("score")) == ("b",)


def tuned(path: Path, task: TunedToy) -> dict:
    with opened(path, task) as context:
        if not context.folder.done("search"):
            find(context, WINNER)
        return dict(TUNE.run(context))


@pytest.mark.parametrize("direction", ["max", "min"])
def test_every_network_gets_what_suits_it_on_the_validation_split(direction, tmp_path, monkeypatch):
    splits, real = set(), TunedToy.metrics
    monkeypatch.setattr(
        TunedToy, "metrics", lambda self, network, split, limit=None: splits.add(split) or real(self, network, split)
    )
    task = TunedToy(direction=direction)
    result = tuned(tmp_path / "run", task)
    found = rows(tmp_path / "run", "tuned")
    assert splits == {"val"}
    assert [(row["seed"], tuple(row["words"]), row["name"]) for row in found] == [
        (seed, words, name) for seed in (0, 1) for words in WORDS for name in NAMES
    ]
    assert {**result, "chosen": 0} == {"chosen": 0, "combinations": 4, "seeds": 2, "cuts": 1} and list(result["chosen"]) == NAMES
    metric, sign = task.objectives[0].name, 1 if direction == "max" else -1
    for name in NAMES:
        means = [
            sign * sum(row["val"][metric] for row in found if row["name"] == name and tuple(row["words"]) == words)
            for words in WORDS
        ]
        assert result["chosen"][name] == list(WORDS[means.index(max(means))])
    assert len({row["val"][metric] for row in found}) > 8, "the settings make a difference"


def test_each_combination_is_scored_on_the_cuts_of_its_own_settings(tmp_path, monkeypatch):
    cut = {number: TunedToy(training=replace(TunedToy().training, steps=6 + number)) for number in (1, 2)}
    monkeypatch.setattr(
        TunedToy,
        "variant",
        lambda self, overrides=(), cut=0: override(replace(self, training=replace(self.training, steps=6 + cut)), overrides),
    )
    stage = Tune(settings=TuneSettings(grid={"training.optim.lr": (0.3,)}, cuts=3), retrain=replace(RETRAIN, others={}))
    with opened(tmp_path / "run", TunedToy()) as context:
        find(context, WINNER)
        assert stage.run(context)["cuts"] == 3
    row = rows(tmp_path / "run", "tuned")[0]
    tasks = [override(task, row["words"]) for task in (TunedToy(), *cut.values())]
    expected = FromScratch(task=tasks[0], seed=derive(0, "tune", 0), others=tasks[1:])([WINNER], "full")[0]
    assert row["name"] == "searched" and row["val"] == expected.values


def test_a_cut_leaves_no_trace_and_nothing_is_trained_twice(tmp_path, monkeypatch):
    whole, path = tmp_path / "whole", tmp_path / "run"
    expected = tuned(whole, TunedToy())
    real, calls = module.tune, []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) == 6:
            die()
        return real(*arguments)

    monkeypatch.setattr(module, "tune", dying)
    assert status(forked(lambda: tuned(path, TunedToy()))) == -signal.SIGKILL
    with (path / "tuned.jsonl").open("a") as log:
        log.write('{"name": "Big", "seed": 1, "words"')  # half a line
    calls = [None] * 10  # beyond the one that dies
    assert tuned(path, TunedToy()) == expected
    assert len(calls) - 10 == 32 - 5 and rows(path, "tuned") == rows(whole, "tuned")
    assert tuned(path, TunedToy()) == expected and len(calls) - 10 == 32 - 5


def test_a_training_that_diverges_is_a_row_and_is_not_chosen(tmp_path):
    stage = Tune(settings=TuneSettings(grid={"training.optim.lr": (1e30, 0.01)}), retrain=RETRAIN)
    with opened(tmp_path / "run", TunedToy()) as context:
        find(context, WINNER)
        result = stage.run(context)
    assert result["chosen"] == {name: ["training.optim.lr=0.01"] for name in NAMES}
    found = rows(tmp_path / "run", "tuned")
    assert all(("error" in row) == (row["val"] == {}) == (row["words"] == ["training.optim.lr=1e+30"]) for row in found)
    assert "TrainingDiverged" in found[0]["error"]


def test_retraining_takes_what_was_chosen(tmp_path):
    """Networks that are to have one step have one, of a rate that moves nothing; the others train as the task does."""
    path, task = tmp_path / "run", TunedToy()
    chosen = {"baseline": ["training.steps=1", "training.optim.lr=1e-30"], "searched": []}
    with opened(path, task) as context:
        find(context, WINNER)
        context.folder.finish("settings", {"chosen": chosen}, 0.0)
        Retrain(settings=RETRAIN.settings, search=SEARCH, others=RETRAIN.others, tuned=replace(TUNE, name="settings")).run(
            context
        )
    found = {row["name"]: row for row in rows(path, "retrained")}
    assert list(found) == NAMES
    assert found["baseline"]["tuned"] == chosen["baseline"] and [name for name in NAMES if "tuned" in found[name]] == ["baseline"]
    steps = {name: sum(row["stage"] == f"retrain {name} #0" for row in rows(path, "metrics")) for name in NAMES}
    assert steps == {"searched": 12, "random 1": 12, "baseline": 2, "Big": 12}  # of two phases
    for name, arch in (("baseline", task.baseline), ("searched", WINNER)):
        before = dict(task.network(arch, derive(0, "retrain", 0)).named_parameters())
        after = load_file(path / "retrained" / f"{name}-0.safetensors")
        assert all(torch.allclose(after[key], value, rtol=0, atol=1e-9) for key, value in before.items()) == (name == "baseline")
