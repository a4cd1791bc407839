import errno
import os
import resource
import signal
from collections.abc import Callable

import pytest

from common.errors import UserError
from common.run import files
from common.run.files import Jsonl, read_json, write_atomic, write_json
from tests.common.run.killing import forked, kill_after, status


def test_rows_come_back_in_order(tmp_path):
    log = Jsonl(tmp_path / "a.jsonl")
    assert log.rows() == []
    rows = [{"i": i, "text": "a\nb", "x": 0.1 + i} for i in range(5)]
    for row in rows:
        log.append(row)
    assert log.rows() == rows


def test_half_written_last_line_is_left_out_and_cut_off(tmp_path):
    log = Jsonl(tmp_path / "a.jsonl")
    log.append({"i": 0})
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b'{"i": 1')
    assert log.rows() == [{"i": 0}]
    log.repair()
    assert log.path.read_bytes() == whole
    log.append({"i": 1})
    assert log.rows() == [{"i": 0}, {"i": 1}]


@pytest.mark.parametrize("damage", [b"{oops}", b"[1]", b"\xff\x00"])
def test_damaged_middle_line_names_file_and_line(tmp_path, damage):
    log = Jsonl(tmp_path / "a.jsonl")
    log.path.write_bytes(b'{"i": 0}\n' + damage + b'\n{"i": 2}\n')
    with pytest.raises(UserError, match=r"a\.jsonl, line 2: .*--resume"):
        log.rows()


def test_full_disk_takes_the_part_of_a_line_back(tmp_path, monkeypatch):
    log = Jsonl(tmp_path / "a.jsonl")
    log.append({"i": 0})
    real = os.write

    def fills_up(handle, data):
        if len(data) > 5:
            return real(handle, data[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "write", fills_up)
    with pytest.raises(
        UserError, match=r"cannot write .*a\.jsonl: the disk is full; every line written before is kept; free .*--resume"
    ):
        log.append({"i": "a long line"})
    monkeypatch.undo()
    assert log.path.read_bytes() == b'{"i": 0}\n'
    log.append({"i": 1})
    assert log.rows() == [{"i": 0}, {"i": 1}]


def test_a_line_that_the_disk_refuses_at_last_is_taken_back(tmp_path, monkeypatch):
    log = Jsonl(tmp_path / "a.jsonl")
    log.append({"i": 0})

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="the disk is full"):
        patch.setattr(os, "fsync", full)
        log.append({"i": 1})
    assert log.path.read_bytes() == b'{"i": 0}\n'


def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is waited for from now on."""
    done, sync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))), sync(handle))
    )
    return done


def test_a_replaced_file_and_its_name_are_on_the_disk_at_the_end(tmp_path, monkeypatch):
    """The content before the new name, and the name, which its folder holds, at last."""
    done, replace = synced(monkeypatch), os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("renamed"), replace(old, new)))
    write_atomic(tmp_path / "a.json", b"x")
    assert done == [".a.json.tmp", "renamed", tmp_path.name]


def test_the_name_of_a_new_log_is_on_the_disk_with_its_first_line(tmp_path, monkeypatch):
    done = synced(monkeypatch)
    log = Jsonl(tmp_path / "a.jsonl")
    log.append({})
    log.append({"i": 1})
    assert done == ["a.jsonl", tmp_path.name, "a.jsonl"]


@pytest.mark.parametrize("written", [0, 4, None])
def test_ctrl_c_while_writing_leaves_whole_lines(tmp_path, monkeypatch, written):
    """In the middle of the write the part is taken back; while waiting for the disk the line, which others may read, stays."""
    log = Jsonl(tmp_path / "a.jsonl")
    log.append({"i": 0})

    def interrupted(handle: int, data: bytes = b"") -> int:
        if data:
            os.write(handle, data[:written])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*((os, "fsync") if written is None else (files, "write_all")), interrupted)
        log.append({"i": 1})
    log.append({"i": 2})
    assert [row["i"] for row in log.rows()] == ([0, 1, 2] if written is None else [0, 2])


def test_real_size_limit_of_the_system(tmp_path):
    log = Jsonl(tmp_path / "a.jsonl")
    kept = tmp_path / "kept.json"
    write_json(kept, {"old": True})

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(UserError, match="size limit"):
            for i in range(1000):
                log.append({"i": i})
        with pytest.raises(UserError, match=r"kept\.json: .*untouched"):
            write_json(kept, {"new": "x" * 5000})

    assert status(forked(work)) == 0
    assert [row["i"] for row in log.rows()] == list(range(len(log.rows()))) and len(log.rows()) > 50
    assert log.path.read_bytes().endswith(b"}\n")
    assert read_json(kept) == {"old": True}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "kept.json"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_device_that_is_always_full():
    with (
        pytest.raises(UserError, match="cannot write /dev/full: the disk is full"),
        files.disk_errors(files.Path("/dev/full"), "x"),
    ):
        files.write_new(files.Path("/dev/full"), b"data")


def test_a_disk_that_becomes_read_only_is_told_also_where_nothing_is_written(tmp_path, monkeypatch):
    """As when a file system meets an error: what is open stays so, and an fsync is refused."""
    path = tmp_path / "a.json"
    write_json(path, {})
    monkeypatch.setattr(os, "fsync", refusing(errno.EROFS))
    for written in (path, tmp_path):
        with pytest.raises(UserError, match=f"cannot write {written}: the file system is read-only; what was written before"):
            files.sync(written)


def test_an_error_that_knows_no_file_is_given_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(OSError, match=r"a\.jsonl") as broken:
        Jsonl(tmp_path / "a.jsonl").append({})
    assert broken.value.filename == str(tmp_path / "a.jsonl")


def refusing(number: int) -> Callable[[int], None]:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_other_errors_are_not_dressed_up(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "no" / "folder", b"")


def test_atomic_write_survives_kills(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, ["x"] * 2000)

    def work():
        while True:
            write_json(path, ["x"] * 2000)
            write_json(path, ["y"] * 3000)

    for i in range(5):
        assert kill_after(forked(work), 0.01 + 0.007 * i) == -signal.SIGKILL
        assert read_json(path) in (["x"] * 2000, ["y"] * 3000)


def test_json_errors(tmp_path):
    with pytest.raises(UserError, match=r"a\.json is missing"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")
