"""Archives of arrays that declare what they do not hold."""

import zipfile

import numpy as np
import pytest

from common.data.names import broken_name
from common.data.npz import BadNpz, MissingArray, read_npz


def archive(path, shape="(3,)", descr="'<f8'", content=b"\0" * 24, name="x"):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode().rjust(118)
    with zipfile.ZipFile(path / "a.npz", "w") as out:
        out.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content)
    return path / "a.npz"


def test_arrays_are_read(tmp_path):
    arrays = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "bc"]), "none": np.zeros((0, 4)), "one": np.array(3)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = read_npz(tmp_path / "a.npz")
        assert found.keys() == arrays.keys() and all(np.array_equal(found[key], arrays[key]) for key in arrays)
        assert list(read_npz(tmp_path / "a.npz", ("x",))) == ["x"]
    assert np.array_equal(read_npz(archive(tmp_path))["x"], np.zeros(3))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": "(125000000000,)"}, "'x' declares 1,000,000,000,000 bytes, and the file holds"),
        ({"shape": "(2, 10**12)"}, "malformed"),
        ({"shape": "(-3,)"}, "declares"),
        ({"shape": f"({'9' * 40},)"}, "declares"),
        ({"shape": "(1000000000000,)", "descr": "'|V0'", "content": b""}, "declares 0 bytes"),
        ({"descr": "'|O'"}, "holds Python objects"),
        ({"descr": "[('a', '|O')]"}, "holds Python objects"),
        ({"content": b"\0" * 20}, "EOF|reading array"),
        ({"name": "y"}, "x"),
    ],
)
def test_what_it_does_not_hold_is_refused_before_memory_is_taken(tmp_path, change, said):
    with pytest.raises(BadNpz, match=said):
        read_npz(archive(tmp_path, **change), ("x",))


def test_files_that_are_no_archives(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "gone.npz")
    for data in (b"", b"PK\x03\x04", b"x" * 500):
        (tmp_path / "b.npz").write_bytes(data)
        with pytest.raises(BadNpz):
            read_npz(tmp_path / "b.npz")
    with pytest.raises(MissingArray, match="edge_index"):
        read_npz(archive(tmp_path), ("x", "edge_index"))
    monkeypatch.setattr("common.data.npz.memory", lambda: 100)
    with pytest.raises(BadNpz, match=r"its arrays take 0\.0 GiB, and this machine has room for 0\.0 GiB"):
        read_npz(archive(tmp_path))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a/b c.png", ""),
        ("..a.png", ""),
        ("a..b/c", ""),
        ("", "is empty"),
        (" ", "is empty"),
        ("a\0b", "zero character"),
        ("x" * 256, "a part of 256 bytes"),
        ("\ud800", "half of a character"),
        ("\u00e9" * 127, ""),
    ],
)
def test_names_in_lists(name, fault):
    assert broken_name(name).startswith(fault) if fault == "" or " " not in fault else fault in broken_name(name)
    assert bool(broken_name(name)) == bool(fault)
