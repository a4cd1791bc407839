"""What is read from the files of a run, whole or damaged; nothing here makes a page."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.run.report.load import Goal, Limit, TileRow, TrialRow, read_run
from tests.common.run.report.make_run import CONFIG, DECISIONS, LIMIT, make_run, write_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that has written its `config.json` and nothing else."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))


def test_a_whole_run_is_read_without_damage(tmp_path: Path):
    run = read_run(make_run(tmp_path))
    assert run.damage == () and run.fingerprint == "ab12cd34" and run.decisions == {k: tuple(v) for k, v in DECISIONS.items()}
    assert run.config.goals == (Goal(name="AP50", maximise=True, unit=""), Goal(name="macs", maximise=False, unit="MACs"))
    assert run.config.limits == (Limit(metric="macs", upper=LIMIT, lower=None),)
    assert (len(run.trials), len(run.random), len(run.stages), len(run.retrained), len(run.samples)) == (40, 40, 5, 10, 6)
    lines = (tmp_path / "trials.jsonl").read_text().splitlines()
    failed, whole = json.loads(lines[7]), json.loads(lines[8])
    assert (run.trials[7].ok, run.trials[7].error, run.trials[7].scores) == (False, failed["error"], {})
    assert (run.trials[8].id, run.trials[8].arch, run.trials[8].scores) == ("8", whole["arch"], whole["scores"])
    assert run.metrics[1].step == 2.0 and set(run.metrics[1].values) == {"loss", "lr"} and run.metrics[0].stage == "pretrain"
    assert run.stages[0].seconds == 41.3 and run.stages[0].result == {"top1": 0.912}
    assert run.samples[2].path == tmp_path / "samples" / "2.png" and run.best_metrics["parity"] == 1.2e-6
    assert set(run.best_arch) == set(DECISIONS)


def test_a_run_that_has_just_begun_is_empty(folder):
    run = read_run(folder)
    assert not (run.trials or run.random or run.metrics or run.retrained or run.samples or run.tiles or run.stages or run.damage)
    assert run.decisions == {} == run.strengths == run.best_arch and run.drawing is None and run.fingerprint == ""
    assert run.config.command == CONFIG["command"] and run.config.seed == "0" and run.config.notes == tuple(CONFIG["notes"])


def test_a_config_may_lack_everything(folder):
    (folder / "config.json").write_text(
        '{"title": "", "objectives": [3, {}, {"name": "x"}], "constraints": [{"upper": 1}], "notes": 7}'
    )
    config = read_run(folder).config
    assert config.system == config.title == folder.name and config.seed == config.paper == ""
    assert config.goals == (Goal(name="x", maximise=True, unit=""),) and config.limits == () == config.notes


@pytest.mark.parametrize(
    ("content", "message"), [(None, "it is missing"), ("{", "must be JSON and is not"), ("[]", "must hold one JSON object")]
)
def test_no_run_folder(content, message, tmp_path):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=rf"config\.json: .*{message}.*give the folder that a run wrote"):
        read_run(tmp_path)


def test_damaged_lines_are_left_out_and_counted_by_file(folder):
    good = '{"id": 1, "status": "ok"}'
    (folder / "trials.jsonl").write_bytes(f'{good}\n\n{{"id": 2\n[1]\n{good}\n{{"id"'.encode() + b"\xff")
    (folder / "random.jsonl").write_text("null\n")
    (folder / "space.json").write_text("{")
    run = read_run(folder)
    assert [trial.id for trial in run.trials] == ["1", "1"] and run.random == ()
    assert run.damage == (
        "space.json: not readable as JSON, left out",
        "trials.jsonl: 3 damaged lines left out",
        "random.jsonl: 1 damaged line left out",
    )


def test_what_are_no_numbers_are_left_out_of_scores(folder):
    values = {"whole": 3, "half": 0.5, "flag": True, "text": "1", "nothing": None, "list": [1]}
    text = json.dumps({"id": 0, "status": "ok", "scores": values, "cost": [1], "seconds": "x"})
    (folder / "trials.jsonl").write_text(text[:-1] + ', "fidelity": "full"}\n{"scores": {"a": NaN, "b": Infinity, "c": 1e999}}\n')
    first, second = read_run(folder).trials
    assert first.scores == {"whole": 3.0, "half": 0.5} and first.cost == {} and (first.seconds, first.fidelity) == (0.0, "full")
    assert second.scores == {} and not second.ok and (second.id, second.origin) == ("?", "")


def test_a_value_is_a_score_before_it_is_a_cost():
    trial = TrialRow(
        id="0",
        arch={},
        scores={"a": 1.0, "b": 2.0},
        cost={"b": 3.0, "c": 4.0},
        fidelity="",
        seconds=0.0,
        ok=True,
        origin="",
        error="",
    )
    assert [trial.value(name) for name in "abcd"] == [1.0, 2.0, 4.0, None]


def test_a_limit_holds_between_its_bounds_and_for_known_values_alone():
    both = Limit(metric="ms", upper=2.0, lower=1.0)
    assert [both.holds({"ms": value}) for value in (0.9, 1.0, 2.0, 2.1)] == [False, True, True, False]
    assert not both.holds({"macs": 1.5}) and Limit(metric="ms", upper=None, lower=0.0).holds({"ms": 9e9})
    assert Limit(metric="ms", upper=0.0, lower=None).holds({"ms": -1.0}) and not Limit(metric="ms", upper=0.0, lower=None).holds(
        {"ms": 1.0}
    )


def test_pictures_come_from_the_samples_folder_alone(folder):
    write(
        folder / "samples" / "samples.json",
        [{"file": "a.png", "caption": "A"}, {"file": "../config.json"}, {"file": "gone.png"}, 3],
    )
    (folder / "samples" / "a.png").write_bytes(b"x")
    run = read_run(folder)
    assert [(row.file, row.caption, row.path) for row in run.samples] == [
        ("a.png", "A", folder / "samples" / "a.png"),
        ("../config.json", "", None),
        ("gone.png", "", None),
    ]
    assert len(run.damage) == 2 and run.damage[0].startswith("samples/../config.json: named in samples.json")
    (folder / "samples" / "samples.json").unlink()
    write(folder / "samples.json", [{"file": "a.png"}, {"file": "b" * 5_000}])
    assert [row.path for row in read_run(folder).samples] == [folder / "samples" / "a.png", None]


def test_subsets_strengths_tiles_and_the_best(folder):
    write_rows(folder / "retrained.jsonl", [{"name": "n", "arch": {"m": ["a", 2], "k": 3}, "val": {"x": 1}, "start": None}])
    write(folder / "strengths.json", {"a": [0.25, 0.75], "b": [1, None], "c": 3})
    write(folder / "tiles.json", [{"value": 4.5, "name": "times"}, {"value": "", "name": "empty"}, "odd"])
    write(folder / "space.json", {"decisions": {"a": ["x", 1], "b": None}})
    run = read_run(folder)
    (row,) = run.retrained
    assert row.arch == {"m": "a, 2", "k": "3"} and row.val == {"x": 1.0} and (row.kind, row.start, row.error) == ("?", "", "")
    assert run.strengths == {"a": (0.25, 0.75), "c": ()} and run.tiles == (TileRow(value="4.5", name="times", of=""),)
    assert run.decisions == {"a": ("x", "1"), "b": ()}
    for key in ("arch", "decisions", "choices", "options"):
        write(folder / "best" / "arch.json", {"digests": {}, key: {"a": "x"}})
        assert read_run(folder).best_arch == {"a": "x"}
