"""What is said of a run folder that has no best network yet."""

import json

import pytest

from common.errors import UserError
from common.run.unfinished import check_finished, how_to_go_on


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("tasknas darts --out=x --seed 2", "tasknas darts --seed 2"),
        ("tasknas darts --out runs/x --seed 2", "tasknas darts --seed 2"),
        ("tasknas darts --seed 2 --out x --resume", "tasknas darts --seed 2"),
        ("tasknas darts --seed 2", "tasknas darts --seed 2"),
    ],
)
def test_the_command_goes_on_in_the_folder_wherever_it_was_written(command, kept, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"command": command}))
    (tmp_path / "stages.jsonl").write_text('{"stage": "supernet", "seconds": 1.0, "result": {}}\n')
    assert how_to_go_on(tmp_path).endswith(f"(done: supernet); to go on with it: {kept} --out {tmp_path} --resume")
    with pytest.raises(UserError, match="has no best network yet: the run is not finished"):
        check_finished(tmp_path)


def test_an_own_search_is_called_again(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"task": "own", "command": "python mine.py"}))
    assert how_to_go_on(tmp_path).endswith(
        f"(done: no stage); to go on with it: call it as before with resume=True and out='{tmp_path}'"
    )


def test_a_finished_run_needs_nothing_and_another_folder_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"is no run folder: it has no config\.json"):
        check_finished(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "model.safetensors").write_bytes(b"")
    assert how_to_go_on(tmp_path) == ""
    check_finished(tmp_path)
