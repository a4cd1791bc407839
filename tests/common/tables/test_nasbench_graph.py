"""NAS-Bench-Graph: which network stands for which; a made-up file; the real one."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from common.space import Arch, decode, enumerate_all, size
from common.tables.nasbench_graph import (
    DATASETS,
    FILE,
    LINKS,
    OPS,
    PROTEINS_OPS,
    Network,
    graph,
    nasbench_graph,
    space,
    stored,
)

NETWORKS = [Network(link, ops) for link in LINKS for ops in product(PROTEINS_OPS, repeat=4) if set(ops) != {"skip"}]
LISTED = [network for network in NETWORKS if stored(network, PROTEINS_OPS) == network]


def key(network: Network) -> int:
    return int("".join(map(str, [LINKS.index(network.link), *(OPS.index(op) for op in network.ops)])))


def made_up(folder: Path, listed: list[Network], **changed: object) -> Path:
    """A file of the proteins set with the networks given; row i's accuracy is i / 10000."""
    index = np.arange(len(listed)) / 10_000
    arrays = {
        "links": np.array(LINKS),
        "ops": np.array(OPS),
        "columns": np.array(["valid_perf", "test_perf", "latency_s", "params_m"]),
        "proteins_hash": np.array([key(network) for network in listed]),
        "proteins": np.stack([index, index / 2, index + 1, index + 2], axis=1),
    }
    np.savez(folder / FILE, **{**arrays, **changed})  # pyright: ignore[reportArgumentType] - numpy types keywords as one bool
    return folder


@pytest.fixture(scope="module")
def real(nasbench: Callable[[str, str], Path]) -> Path:
    return nasbench("nasbench_graph", FILE)


@pytest.mark.parametrize(
    ("link", "ops", "same_link", "same_ops"),
    [
        ("0000", "gcn gat fc gat", "0000", "gat gat gcn fc"),  # nodes side by side: any order
        ("0012", "gin gat gcn fc", "0012", "gat gin fc gcn"),  # two chains change places together
        ("0123", "gcn skip gat skip", "0123", "skip skip gcn gat"),  # skips in a chain move to its front
        ("0000", "skip gcn gat gin", "0111", "skip gat gcn gin"),  # a raw input is no output
        ("0011", "gcn gat skip gin", "0011", "gcn gat gin skip"),
    ],
)
def test_which_network_stands_for_it(link: str, ops: str, same_link: str, same_ops: str):
    assert stored(Network(link, tuple(ops.split()))) == Network(same_link, tuple(same_ops.split()))


def test_each_class_has_one_stored_network_and_one_graph():
    assert (len(NETWORKS), len(LISTED)) == (5_616, 2_021)
    assert {stored(network, PROTEINS_OPS) for network in NETWORKS} == set(LISTED)
    assert len({graph(network).canonical() for network in LISTED}) == 2_021


def test_leaves_feed_the_output():
    drawn = graph(Network("0112", ("gcn", "gat", "fc", "gin")))
    assert drawn.ops == ("input", "gcn", "gat", "fc", "gin", "output")
    assert set(drawn.edges) == {(0, 1), (1, 2), (1, 3), (2, 4), (3, 5), (4, 5)}


def test_every_network_finds_its_row(tmp_path: Path):
    listed = LISTED[::-1]
    table = nasbench_graph(made_up(tmp_path, listed), "proteins")
    assert size(table.space) == 5_616
    assert table.canonical is not None and table.graph is not None
    for arch in enumerate_all(table.space):
        network = stored(decode(table.space, arch), PROTEINS_OPS)
        row = table.row(arch)
        assert listed[row] == network
        assert table.graph(arch) == graph(network)
        assert table.canonical(arch) == row
    arch = Arch({"link": 8, "ops.0": 0, "ops.1": 4, "ops.2": 3, "ops.3": 1})
    row = listed.index(Network("0123", ("skip", "gcn", "fc", "sage")))
    assert table.evaluator([arch], "full")[0].values == pytest.approx({"valid": row / 100, "test": row / 200})
    assert table.cost(arch) == pytest.approx({"latency_s": row / 10_000 + 1, "params_m": row / 10_000 + 2})
    assert np.flatnonzero(table.features(arch)).tolist() == [8, 9, 18, 22, 25]


def test_four_skips_are_not_a_network(tmp_path: Path):
    table = nasbench_graph(made_up(tmp_path, LISTED), "proteins")
    with pytest.raises(UserError, match="breaks a rule"):
        table.row(Arch({"link": 0, **{f"ops.{i}": 4 for i in range(4)}}))


@pytest.mark.parametrize(
    ("listed", "changed", "message"),
    [
        (LISTED[1:], {}, r"architectures have no row, the first has options \(0, 0, 0, 0, 0\)"),
        ([*LISTED, LISTED[3]], {}, "rows 3 and 2021 are the same"),
        (LISTED, {"proteins_hash": np.full(2021, 11112)}, r"row 0: unknown op 2 at node 4: its key may hold 1 \(gcn\), 4"),
        (LISTED, {"proteins": np.full((2021, 4), np.nan)}, "row 0: valid_perf is nan"),
        (LISTED, {"ops": np.array([*OPS[:8], "mlp"])}, "unknown op 'mlp'"),
        (LISTED, {"columns": np.array(["a", "b", "c", "d"])}, "unknown column 'a'"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, listed: list[Network], changed: dict[str, object], message: str):
    with pytest.raises(UserError, match=message) as error:
        nasbench_graph(made_up(tmp_path, listed, **changed), "proteins")
    assert str(tmp_path / FILE) in str(error.value)


def test_an_unknown_data_set_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no data set 'reddit': use cora"):
        nasbench_graph(tmp_path, "reddit")


def test_the_real_table_holds_exactly_the_stored_networks(real: Path):
    table = nasbench_graph(real, "cora")
    rows = [row for row in table.row.items if row is not None]  # pyright: ignore[reportFunctionMemberAccess] - a `Lookup`
    assert size(table.space) == len(rows) == 59_040 == size(space())
    assert set(rows) == set(range(26_206))
    with np.load(real / FILE) as file:
        archs = file["arch"].tolist()
    for row, (link, *ops) in enumerate(archs):
        network = Network(LINKS[link], tuple(OPS[i] for i in ops))
        assert stored(network) == network
        if row % 1000 == 0:
            assert table.row(Arch({"link": link, **{f"ops.{i}": op for i, op in enumerate(ops)}})) == row
    full = table.scores["full"]
    best = np.flatnonzero(full["valid"] == full["valid"].max())
    assert round(float(full["valid"].max()), 2) == 81.93
    assert 82.63 in [round(float(score), 2) for score in full["test"][best]]
    assert round(float(full["test"].max()), 2) == 83.13
    assert round(float(full["test"].mean()), 2) == 75.43


@pytest.mark.parametrize("dataset", ["arxiv", "proteins"])
def test_other_real_sets_load(real: Path, dataset: str):
    table = nasbench_graph(real, dataset)
    assert len(table.scores["full"]["valid"]) == (2_021 if dataset == "proteins" else 26_206)
    assert dataset in DATASETS
