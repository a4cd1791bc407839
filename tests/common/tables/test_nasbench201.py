"""NAS-Bench-201: cells and their names; a made-up file; the real one."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from common.errors import UserError
from common.space import Arch, decode, enumerate_all, size
from common.tables import cell as cells
from common.tables.cell import NONE, OPS, SKIP, Cell, expression, from_string, graph, to_string
from common.tables.nasbench201 import CLASSES, FILE, nasbench201, params

C1, C3, POOL = OPS[2:]
OPTIONS = np.array(list(product(range(5), repeat=6)), dtype=np.int8)


def made_up(folder: Path, **changed: object) -> Path:
    """A file of the real one's form in another order of rows, with row i's accuracies i and i + 0.5."""
    columns = [f"{name}-{what}" for name in CLASSES for what in ("val-12ep", "test-200ep")]
    index = np.arange(len(OPTIONS), dtype=np.float32)
    arrays = {
        "ops": OPTIONS[::-1],
        "op_names": np.array(OPS),
        "acc": np.stack([index, index + 0.5] * 3, axis=1),
        "acc_columns": np.array(columns),
        "flops_m": index,
        "latency_ms": np.stack([index, 2 * index], axis=1),
        "latency_devices": np.array(["here", "there"]),
    }
    np.savez(folder / FILE, **{**arrays, **changed})  # pyright: ignore[reportArgumentType] - numpy types keywords as one bool
    return folder


@pytest.fixture(scope="module")
def real(nasbench: Callable[[str, str], Path]) -> Path:
    return nasbench("nasbench201", FILE)


def test_strings_round_trip():
    text = f"|{C3}~0|+|{NONE}~0|{C1}~1|+|{SKIP}~0|{POOL}~1|{C3}~2|"
    assert from_string(text) == Cell((C3, NONE, C1, SKIP, POOL, C3))
    for edges in product(OPS[:2], repeat=6):
        assert from_string(to_string(Cell(edges))) == Cell(edges)


@pytest.mark.parametrize("text", ["", "|none~0|", f"|{C3}~0|+|{C3}~1|{C3}~0|+|{C3}~0|{C3}~1|{C3}~2|", "|none~0|+" * 3])
def test_strings_of_another_form_are_refused(text: str):
    with pytest.raises(UserError, match="another form"):
        from_string(text)


def test_strings_with_an_unknown_op_are_refused():
    with pytest.raises(UserError, match=r"unknown op 'conv_7x7': use none, skip"):
        from_string(to_string(Cell((C3, NONE, C1, SKIP, POOL, "conv_7x7"))))


def test_parameters_are_the_published_ones():
    assert params(Cell((SKIP,) * 6)) == 73_306 == params(Cell((NONE,) * 6))
    assert params(Cell((C1,) * 6)) == 241_306
    assert params(Cell((C3,) * 6)) == 1_531_546
    assert params(Cell((C3,) * 6), CLASSES["imagenet16-120"]) == 1_538_696
    assert params(Cell((SKIP,) * 6), CLASSES["cifar100"]) == 73_306 + 5_850


def test_expressions_of_cells_that_compute_the_same():
    """A convolution into node 1 that nothing reads; the same one convolution by way of node 1 or of node 2's skip."""
    assert expression(Cell((C3, NONE, NONE, C1, NONE, NONE))) == expression(Cell((POOL, NONE, NONE, C1, NONE, NONE)))
    assert expression(Cell((SKIP, C3, NONE, NONE, NONE, C1))) == expression(Cell((C1, C3, NONE, NONE, NONE, C1)))
    assert expression(Cell((C3, NONE, NONE, NONE, C1, NONE))) != expression(Cell((C1, NONE, NONE, NONE, C3, NONE)))


def test_the_graph_of_a_cell():
    drawn = graph(Cell((C3, NONE, C1, SKIP, POOL, C3)))
    assert drawn.ops == ("input", C3, NONE, C1, SKIP, POOL, C3, "output")
    assert set(drawn.edges) == {(0, 1), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)}  # none into the zero, 2


def test_there_are_as_many_classes_as_published():
    known = cells.lookups()
    names, graphs = list(known.canonical.items), list(known.graph.items)
    assert len(names) == 15_625
    assert len(set(names)) == 6_466
    assert len(set(zip(names, graphs, strict=True))) == 6_466  # isomorphic cells share a graph,
    assert len({g.canonical() for g in set(graphs) if g is not None}) == 6_466  # others have others, however they are numbered


def test_rows_columns_and_costs(tmp_path: Path):
    table = nasbench201(made_up(tmp_path), "cifar100")
    arch = Arch({f"edges.{i}": option for i, option in enumerate((3, 0, 2, 1, 4, 3))})
    row = table.row(arch)
    assert OPTIONS[::-1][row].tolist() == [3, 0, 2, 1, 4, 3]
    assert decode(table.space, arch) == Cell((C3, NONE, C1, SKIP, POOL, C3))
    short, long = (table.evaluator([arch], fidelity)[0].values for fidelity in table.scores)
    assert short == {"valid": row, "test": row + 0.5}
    assert long == {"valid": row + 0.5, "test": row + 0.5}
    assert table.cost(arch) == {
        "params": 73_306 + 5_850 + 2 * 243_040 + 28_000,
        "flops": pytest.approx(row + 64 * 90 / 1e6),
        "latency_here": row,
        "latency_there": 2 * row,
    }
    assert list(table.epochs) == list(table.scores)
    assert table.fidelity == "12 epochs"
    assert np.flatnonzero(table.features(arch)).tolist() == [3, 5, 12, 16, 24, 28]
    with pytest.raises(UserError, match="no fidelity '90 epochs'"):
        table.evaluator([arch], "90 epochs")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"op_names": np.array([*OPS[:4], "conv_7x7"])}, "unknown op 'conv_7x7'"),
        ({"acc_columns": np.array(["cifar100-val-12ep"] * 6)}, "no column 'cifar10-val-12ep'"),
        ({"ops": np.full((15_625, 6), 5)}, "row 0: unknown op 5 at decision 0"),
        ({"ops": OPTIONS[1:]}, r"1 of 15625 architectures have no row, the first has options \(0, 0, 0, 0, 0, 0\)"),
        ({"ops": np.concatenate([OPTIONS[1:], OPTIONS[-1:]])}, "rows 15623 and 15624 are the same"),
        ({"acc": np.full((15_625, 6), np.nan)}, "row 0: valid is nan"),
        ({"latency_ms": np.full((15_625, 2), np.inf)}, "row 0: latency_here is inf"),
        ({"flops_m": np.ones(3)}, "'flops' has shape"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, changed: dict[str, object], message: str):
    with pytest.raises(UserError, match=message) as error:
        nasbench201(made_up(tmp_path, **changed))
    assert str(tmp_path / FILE) in str(error.value)


def test_an_unknown_data_set_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no data set 'svhn': use cifar10"):
        nasbench201(tmp_path, "svhn")


@pytest.mark.parametrize(
    ("dataset", "best", "row", "flops"),
    [("cifar10", 94.37, 6111, 220.12), ("cifar100", 73.51, 9930, 220.13), ("imagenet16-120", 47.31, 857, 55.04)],
)
def test_the_best_cells_are_the_published_ones(real: Path, dataset: str, best: float, row: int, flops: float):
    table = nasbench201(real, dataset)
    test = table.scores["12 epochs"]["test"]
    assert size(table.space) == len(test) == 15_625
    assert (round(float(test.max()), 2), int(test.argmax())) == (best, row)
    assert round(float(table.costs["flops"].max()), 2) == flops
    assert sum(name.startswith("latency_") for name in table.costs) == 27
    assert table.cost(Arch({f"edges.{i}": 3 for i in range(6)}))["params"] == params(Cell((C3,) * 6), CLASSES[dataset])


def test_rows_and_classes_are_those_of_the_file(real: Path):
    table = nasbench201(real)
    with np.load(real / FILE) as file:
        texts, classes, millions = file["arch"], file["iso_class"], file["params_m"]
    archs = list(enumerate_all(table.space))
    start = perf_counter()
    rows = [table.row(arch) for arch in archs]
    seconds = (perf_counter() - start) / len(archs)
    assert sorted(rows) == list(range(15_625))
    assert [to_string(decode(table.space, arch)) for arch in archs] == texts[rows].tolist()
    assert table.canonical is not None
    pairs = set(zip([table.canonical(arch) for arch in archs], classes[rows].tolist(), strict=True))
    assert len(pairs) == len(set(classes.tolist())) == 6_466
    assert np.abs(table.costs["params"] - 1e6 * millions.astype(np.float64)).max() < 0.5
    assert seconds < 50e-6  # 2 to 5 microseconds; the margin is for a loaded machine
