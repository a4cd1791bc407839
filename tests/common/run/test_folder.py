import errno
import json
import os
import signal
import time

import pytest

from common.errors import UserError
from common.run.folder import RunFolder, differences
from common.search.base import Trial
from common.space import ManyOf, OneOf, sample
from common.streams import stream
from tests.common.run.killing import die, forked, kill_after, status

SPACE = {"kernel": OneOf(3, 5, 7), "ops": ManyOf(("a", "b", "c"), 1, 2)}
CONFIG = {"seed": 0, "data": {"size": 64, "classes": ("x", "y")}, "workers": 2, "command": "a"}


def trial(i, **changes):
    fields = {
        "scores": {"ap": 0.1 * i},
        "cost": {"macs": 10**12 + i},
        "fidelity": "full",
        "seconds": 0.5,
        "parents": (0, i),
        "origin": "mutation",
    }
    return Trial(id=i, arch=sample(SPACE, stream(0, i)), **(fields | changes))


def test_trials_come_back_equal(tmp_path):
    trials = [trial(0), trial(1), trial(2, status="failed", scores={}, error="boom")]
    with RunFolder.create(tmp_path / "deep" / "run", CONFIG, SPACE) as folder:
        for t in trials:
            folder.append_trial(t)
        folder.append_trial(trials[1], "random.jsonl")
    with RunFolder.resume(tmp_path / "deep" / "run", CONFIG, SPACE) as folder:
        assert folder.trials() == trials
        assert folder.trials("random.jsonl") == [trials[1]]
        assert folder.config["data"]["classes"] == ["x", "y"]
    row = json.loads((tmp_path / "deep/run/trials.jsonl").read_text().splitlines()[0])
    assert set(row["arch"]) == {"kernel", "ops"} and row["arch"]["kernel"] in "357"


def test_create_refuses_what_is_not_free(tmp_path):
    run = tmp_path / "run"
    RunFolder.create(run, CONFIG, SPACE).close()
    with pytest.raises(UserError, match=r"run holds a run; give --resume to continue it or another --out"):
        RunFolder.create(run, CONFIG, SPACE)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file is a file; --out needs a folder"):
        RunFolder.create(tmp_path / "file", CONFIG, SPACE)
    with pytest.raises(UserError, match="file is a file; give a folder"):
        RunFolder.create(tmp_path / "file" / "below", CONFIG, SPACE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"other is not empty and holds no run \('notes.txt' is in it\)"):
        RunFolder.create(tmp_path / "other", CONFIG, SPACE)
    assert (tmp_path / "other" / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    RunFolder.create(tmp_path / "empty", CONFIG, SPACE).close()


def test_half_written_folder_is_refused_and_started_over_by_resume(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "space.json").write_text("{")
    with pytest.raises(UserError, match="holds a half-written run"):
        RunFolder.create(run, CONFIG, SPACE)
    with RunFolder.resume(run, CONFIG, SPACE) as folder:
        assert folder.config["seed"] == 0


def test_resume_refuses_no_run_another_space_and_other_settings(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(UserError, match="holds no run; start one without --resume"):
        RunFolder.resume(run, CONFIG, SPACE)
    RunFolder.create(run, CONFIG, SPACE).close()
    with pytest.raises(UserError, match="another space"):
        RunFolder.resume(run, CONFIG, {**SPACE, "kernel": OneOf(5, 3, 7)})
    with pytest.raises(
        UserError, match=r"seed was 0, is now 1; data\.size was 64, is now \"big\"; new was \(absent\), is now true"
    ):
        RunFolder.resume(run, {**CONFIG, "seed": 1, "data": {**CONFIG["data"], "size": "big"}, "new": True}, SPACE)
    RunFolder.resume(run, {**CONFIG, "workers": 7, "command": "b", "data": {**CONFIG["data"], "device": "cpu"}}, SPACE).close()
    with pytest.raises(UserError, match="workers was 2, is now 7"):
        RunFolder.resume(run, {**CONFIG, "workers": 7}, SPACE, free=())
    (run / "config.json").write_text("{}x")
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        RunFolder.resume(run, CONFIG, SPACE)


def test_a_free_key_covers_what_lies_below():
    assert differences({"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 1}, ("a",)) == {}
    assert differences({"a": {"b": 1}}, {"a": 3}) == {"a": ('{"b": 1}', "3")}


def test_one_process_at_a_time(tmp_path):
    run = tmp_path / "run"
    with RunFolder.create(run, CONFIG, SPACE):

        def work():
            with pytest.raises(UserError, match=f"run is in use by process {os.getppid()}; wait"):
                RunFolder.resume(run, CONFIG, SPACE)

        assert status(forked(work)) == 0
    RunFolder.resume(run, CONFIG, SPACE).close()


def test_the_lock_names_its_process_and_nothing_of_the_one_before(tmp_path):
    run = tmp_path / "run"
    RunFolder.create(run, CONFIG, SPACE).close()
    (lock,) = (file for file in run.iterdir() if file.name not in ("config.json", "space.json"))
    lock.write_text("123456789012\n")
    with RunFolder.resume(run, CONFIG, SPACE):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_lock_of_a_killed_process_does_not_block(tmp_path):
    run = tmp_path / "run"

    def work():
        folder = RunFolder.create(run, CONFIG, SPACE)
        folder.append_trial(trial(0))
        die()

    assert status(forked(work)) == -signal.SIGKILL
    with RunFolder.resume(run, CONFIG, SPACE) as folder:
        assert folder.trials() == [trial(0)]


def test_a_disk_that_becomes_read_only_keeps_no_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("common.run.folder.SYNC_EVERY", float("inf"))
    folder = RunFolder.create(tmp_path / "run", CONFIG, SPACE)
    folder.append_metrics("search", 0, {"loss": 1.0})

    def refuse(handle):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="read-only"):
        patch.setattr(os, "fsync", refuse)
        folder.close()
    RunFolder.resume(tmp_path / "run", CONFIG, SPACE).close()


def test_killed_while_appending_loses_no_whole_line(tmp_path):
    run = tmp_path / "run"
    RunFolder.create(run, CONFIG, SPACE).close()
    told = 0

    def work():
        with RunFolder.resume(run, CONFIG, SPACE) as folder:
            for i in range(len(folder.trials()), 10**6):
                folder.append_trial(trial(i))

    for i in range(4):
        assert kill_after(forked(work), 0.05 + 0.011 * i) == -signal.SIGKILL
        with RunFolder.resume(run, CONFIG, SPACE) as folder:
            found = folder.trials()
        assert [t.id for t in found] == list(range(len(found))) and len(found) >= told
        told = len(found)
    assert told > 0


def test_resume_cuts_half_lines_and_names_damaged_ones(tmp_path):
    run = tmp_path / "run"
    with RunFolder.create(run, CONFIG, SPACE) as folder:
        folder.append_trial(trial(0))
        folder.append_trial(trial(1))
    log = run / "trials.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    with RunFolder.resume(run, CONFIG, SPACE) as folder:
        assert folder.trials() == [trial(0)]
        folder.append_trial(trial(1))
        assert folder.trials() == [trial(0), trial(1)]
    row = json.loads(log.read_text().splitlines()[0])
    log.write_text(log.read_text().replace('"status"', '"state"'))
    with (
        RunFolder.resume(run, CONFIG, SPACE) as folder,
        pytest.raises(UserError, match=r"trials\.jsonl, line 1: 'status' is missing"),
    ):
        folder.trials()
    log.write_text(json.dumps({**row, "arch": {"kernel": "9", "ops": "a"}}) + "\n")
    with (
        RunFolder.resume(run, CONFIG, SPACE) as folder,
        pytest.raises(UserError, match=r"line 1: decision 'kernel' has no option '9'"),
    ):
        folder.trials()


def test_stages_metrics_and_other_rows(tmp_path):
    with RunFolder.create(tmp_path / "run", CONFIG, SPACE) as folder:
        assert not folder.done("search")
        folder.finish("search", {"best": 0.5}, 12.34567)
        folder.append_metrics("train", 0, {"loss": 1.5})
        folder.append_metrics("train", 1, {"loss": 1.25})
        folder.append_retrained({"name": "winner", "kind": "searched", "seed": 0, "arch": {}, "val": {}, "test": {}})
    with RunFolder.resume(tmp_path / "run", CONFIG, SPACE) as folder:
        assert folder.done("search") and folder.result("search") == {"best": 0.5}
        assert folder.log("stages.jsonl").rows() == [{"stage": "search", "seconds": 12.346, "result": {"best": 0.5}}]
        folder.append_metrics("train", 1, {"loss": 1.25})  # done again after a kill
        folder.append_metrics("train", 2, {"loss": 1.0})
        assert [row["step"] for row in folder.log("metrics.jsonl").rows()] == [0, 1, 2]
        assert [row["name"] for row in folder.log("retrained.jsonl").rows()] == ["winner"]
        with pytest.raises(KeyError):
            folder.result("retrain")


def test_streams_do_not_wait_for_the_disk_each_time_and_stages_do(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))), real(handle))[1]
    )
    with RunFolder.create(tmp_path / "run", CONFIG, SPACE) as folder:
        monkeypatch.setattr("common.run.folder.SYNC_EVERY", 60.0)
        folder._synced = time.monotonic()
        synced.clear()
        for i in range(30):
            folder.append_trial(trial(i))
        assert synced == []
        folder.finish("search", {}, 1.0)
        assert synced.index("trials.jsonl") < synced.index("stages.jsonl")
        monkeypatch.setattr("common.run.folder.SYNC_EVERY", 0.0)
        synced.clear()
        folder.append_metrics("train", 0, {"loss": 1.0})
        assert "metrics.jsonl" in synced and "trials.jsonl" not in synced
