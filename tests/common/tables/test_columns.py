"""Tables with missing rows, scores that are no numbers, unknown operations."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from common.space import Arch
from common.tables.columns import Lookup, check_columns, check_names, check_whole, positions, read, row_of_each

SIZES = (2, 3)
ALL = np.array(list(product(range(2), range(3))))


def test_rows_are_found_whatever_their_order():
    order = [4, 0, 5, 2, 1, 3]
    rows = row_of_each("t.npz", ALL[order], SIZES)
    assert [order[row] for row in rows] == [0, 1, 2, 3, 4, 5]
    lookup = Lookup(("a", "b"), SIZES, rows)
    assert all(tuple(ALL[order][lookup(Arch({"a": a, "b": b}))]) == (a, b) for a, b in product(range(2), range(3)))


def test_missing_rows_are_named():
    with pytest.raises(UserError, match=r"t\.npz: 2 of 6 architectures have no row, the first has options \(0, 2\)"):
        row_of_each("t.npz", ALL[[0, 1, 3, 5]], SIZES)
    with pytest.raises(UserError, match="1 of 6"):
        check_whole("t.npz", np.array([0, 1, -1, 2, 3, 4]), SIZES)


def test_a_row_that_is_there_twice_is_named():
    with pytest.raises(UserError, match=r"t\.npz: rows 1 and 6 are the same architecture"):
        positions("t.npz", np.concatenate([ALL, ALL[[1]]]), SIZES)


@pytest.mark.parametrize("option", [-1, 3])
def test_an_unknown_op_is_named(option: int):
    options = ALL.copy()
    options[4, 1] = option
    with pytest.raises(UserError, match=rf"t\.npz: row 4: unknown op {option} at decision 1: give 0 to 2"):
        positions("t.npz", options, SIZES)


def test_options_of_another_width_are_refused():
    with pytest.raises(UserError, match="one row of 2"):
        positions("t.npz", ALL[:, :1], SIZES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_named(value: float):
    scores = np.linspace(0, 1, 6)
    check_columns("t.npz", {"valid": scores}, 6)
    scores[3] = value
    with pytest.raises(UserError, match=rf"t\.npz: row 3: valid is {value}"):
        check_columns("t.npz", {"test": np.ones(6), "valid": scores}, 6)


def test_a_column_of_another_length_is_named():
    with pytest.raises(UserError, match=r"'valid' has shape \(5,\), not \(6,\)"):
        check_columns("t.npz", {"valid": np.ones(5)}, 6)


def test_names_must_be_those_of_the_space():
    check_names("t.npz", "op", ["a", "b"], ("a", "b"))
    with pytest.raises(UserError, match=r"unknown op 'c': this space has a, b"):
        check_names("t.npz", "op", ["a", "c"], ("a", "b"))
    for names in (["b", "a"], ["a"]):
        with pytest.raises(UserError, match="in this order"):
            check_names("t.npz", "op", names, ("a", "b"))


def test_an_architecture_of_another_space_has_no_row():
    lookup = Lookup(("a", "b"), SIZES, [0, 1, 2, 3, 4, None])
    assert lookup(Arch({"a": 1, "b": 1})) == 4
    for arch, why in (
        ({"a": 1}, "lacks decision 'b'"),
        ({"a": 2, "b": 0}, "'a' is option 2"),
        ({"a": 1, "b": 2}, "breaks a rule"),
    ):
        with pytest.raises(UserError, match=why):
            lookup(Arch(arch))


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    file = tmp_path / "t.npz"
    with pytest.raises(UserError, match=r"t\.npz does not exist.*TASKNAS_DATA"):
        read(file, ["a"])
    file.write_bytes(b"not an archive")
    with pytest.raises(UserError, match=r"t\.npz cannot be read"):
        read(file, ["a"])
    np.savez(file, a=np.ones(3))
    assert read(file, ["a"])["a"].tolist() == [1, 1, 1]
    with pytest.raises(UserError, match=r"t\.npz has no array 'b'"):
        read(file, ["a", "b"])
    np.savez(file, a=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="cannot be read"):
        read(file, ["a"])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be read"):
        read(file, ["a"])
