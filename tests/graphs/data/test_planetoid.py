import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from common.errors import UserError
from graphs.data import load, planetoid
from graphs.data.raw import FILES
from tests.graphs.data.makers import tables, write_planetoid


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")])


@pytest.mark.parametrize(
    ("name", "sizes", "labelled"),
    [
        ("Cora", (2708, 5278, 1433, 7), (140, 500, 1000)),
        ("CiteSeer", (3327, 4552, 3703, 6), (120, 500, 1000)),
        ("PubMed", (19717, 44324, 500, 3), (60, 500, 1000)),
    ],
)
def test_published_numbers(tasknas_data, name, sizes, labelled):
    folder = tasknas_data / "graphs" / "planetoid"
    if not all((folder / name / "raw" / f"ind.{name.lower()}.{part}").is_file() for part in FILES):
        pytest.skip(f"no real data: {folder / name / 'raw'} lacks files")
    before = listing(folder)
    data = load(folder, name)
    facts = data.describe()
    assert (facts["nodes"], facts["edges"], facts["features"], len(data.classes)) == sizes
    assert tuple(facts["labelled"].values()) == labelled
    assert data.transductive and not facts["directed"] and not data.multilabel
    assert data.train[0].y[data.train[0].mask].bincount().tolist() == [20] * len(data.classes)
    sums = data.train[0].x.sum(dim=1)
    assert ((sums - 1).abs() < 1e-5).logical_or(sums == 0).all()
    isolated = [note for note in data.notes if "have no edge" in note]
    assert bool(isolated) == (name == "CiteSeer") and all("48 of 3327" in note for note in isolated)
    assert listing(folder) == before


def test_incomplete_files(tasknas_data):
    folder = tasknas_data / "graphs" / "planetoid"
    if not (folder / "PubMed").is_dir() or (folder / "PubMed" / "raw" / "ind.pubmed.allx").exists():
        pytest.skip(f"no incomplete data: {folder / 'PubMed'} is missing or whole")
    with pytest.raises(UserError, match=r"ind\.pubmed\.allx, .* missing: .*github\.com/kimiyoung/planetoid"):
        planetoid(folder, "PubMed")
    with pytest.raises(UserError, match=r"CiteSeer, Cora, PubMed \(files missing\)"):
        load(str(folder))


@pytest.mark.parametrize("place", ["tiny/raw", "TINY/raw", "Tiny", "raw", "."])
@pytest.mark.parametrize("protocol", [2, 5])
def test_layouts(tmp_path, place, protocol):
    write_planetoid(tmp_path / place, protocol=protocol)
    before = listing(tmp_path)
    data = load(str(tmp_path), "Tiny")
    assert listing(tmp_path) == before
    made = tables()
    x = np.concatenate([made["allx"].toarray(), np.zeros((20, 5), np.float32)])
    x[made["test.index"]] = made["tx"].toarray()  # row i of tx is the i-th node listed
    graph = data.test[0]
    assert torch.allclose(graph.x, torch.from_numpy(x / np.maximum(x.sum(axis=1, keepdims=True), 1)))
    assert graph.y[made["test.index"]].tolist() == made["ty"].argmax(axis=1).tolist()
    assert data.describe()["labelled"] == {"train": 9, "val": 500, "test": 20}
    assert data.describe()["edges"] == 550
    assert graph.mask.nonzero().flatten().tolist() == list(range(530, 550))


def test_a_folder_without_the_data_set(tmp_path):
    with pytest.raises(UserError, match=r"no file ind\.cora\.\*.*it has no Planetoid data set.*github"):
        planetoid(tmp_path, "Cora")
    write_planetoid(tmp_path / "Tiny" / "raw")
    write_planetoid(tmp_path / "nell", name="nell.0.001")
    (tmp_path / "nell" / "ind.nell.0.001.graph").unlink()
    with pytest.raises(UserError, match=r"no file ind\.cora\.\*.*it has Tiny, nell\.0\.001 \(files missing\): correct the name"):
        planetoid(tmp_path, "Cora")
    for call in (lambda: planetoid(tmp_path / "none", "Cora"), lambda: load(str(tmp_path / "none"))):
        with pytest.raises(UserError, match="none is no folder"):
            call()


@pytest.mark.parametrize("part", FILES)
def test_missing_and_damaged_files_are_named(tmp_path, part):
    write_planetoid(tmp_path)
    file = tmp_path / f"ind.tiny.{part}"
    whole = file.read_bytes()
    for content in (b"", b"no pickle", whole[: len(whole) // 2], whole[:-1]):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"ind\.tiny\.{part} (is cut off or damaged|has)") as raised:
            planetoid(tmp_path, "tiny")
        assert "\n" not in str(raised.value) and "github.com/kimiyoung/planetoid" in str(raised.value)
    file.unlink()
    with pytest.raises(UserError, match=rf": ind\.tiny\.{part} missing: all eight files"):
        planetoid(tmp_path, "tiny")


class _Evil:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("part", FILES[:7])
def test_a_pickle_runs_no_code(tmp_path, part):
    write_planetoid(tmp_path, **{part: _Evil(tmp_path / "touched")})
    with pytest.raises(UserError, match=rf"ind\.tiny\.{part} wants to load .*do not trust it"):
        planetoid(tmp_path, "tiny")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "stream",
    [
        pickle.dumps(np.array([{}], dtype=object), protocol=2),
        b"cnumpy\ndtype\n(VO\ntR.",
        b"c_codecs\nencode\n(VAA\nVzlib\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
    ],
)
def test_only_arrays_of_numbers_are_rebuilt(tmp_path, stream):
    write_planetoid(tmp_path)
    (tmp_path / "ind.tiny.ty").write_bytes(stream)
    with pytest.raises(UserError, match="wants to load"):
        planetoid(tmp_path, "tiny")


def _outside() -> scipy.sparse.csr_matrix:
    """A matrix whose numbers point outside it."""
    found = tables()["x"]
    found.indices[0] = 99
    return found


MADE = tables()
UNFIT = [
    ({"x": [1]}, r"tiny\.x is cut off or damaged \(a list, not a matrix"),
    ({"x": np.zeros(3)}, r"tiny\.x is cut off or damaged"),
    ({"x": np.zeros((0, 5))}, r"tiny\.x is cut off or damaged \(a matrix of shape \(0, 5\)"),
    ({"x": _outside()}, r"tiny\.x is cut off or damaged \(ValueError in its sparse matrix"),
    ({"graph": [1]}, r"tiny\.graph is cut off or damaged \(a list, not a dict"),
    ({"graph": {0: 1}}, r"tiny\.graph is cut off or damaged \(entry 0 is no node"),
    ({"graph": {**MADE["graph"], 3: [550]}}, r"tiny\.graph names node 550 in the entry of node 3"),
    ({"graph": {0: [1]}}, r"tiny\.graph has 1 nodes, yet the other files have 550"),
    ({"y": MADE["y"][:-1]}, r"tiny\.y has 8 rows, yet ind\.tiny\.x has 9"),
    ({"ty": MADE["ty"][:, :2]}, r"tiny\.ty has 2 columns, yet ind\.tiny\.ally has 3"),
    ({"allx": MADE["allx"][:508], "ally": MADE["ally"][:508]}, r"tiny\.allx has 508 rows, yet the public split takes 9"),
    ({"test.index": range(530, 549)}, r"tiny\.test\.index has 19 nodes, yet ind\.tiny\.tx has 20 rows"),
    ({"test.index": [*range(530, 549), 530]}, r"tiny\.test\.index must name each of the nodes 530 to 549 once"),
    ({"test.index": range(531, 551)}, r"tiny\.test\.index must name each of the nodes 530 to 549 once"),
]


@pytest.mark.parametrize(("files", "rule"), UNFIT)
def test_files_must_fit_together(tmp_path, files, rule):
    write_planetoid(tmp_path, protocol=5, **files)
    with pytest.raises(UserError, match=rf"ind\.{rule}.*: get |ind\.{rule}.*; get ") as raised:
        planetoid(tmp_path, "tiny")
    assert "github.com/kimiyoung/planetoid" in str(raised.value)


def test_features_must_be_finite(tmp_path):
    allx = MADE["allx"].toarray()
    allx[7, 2] = np.nan
    write_planetoid(tmp_path, allx=scipy.sparse.csr_matrix(allx))
    with pytest.raises(UserError, match=r"^tiny: feature 2 of node 7 is nan"):
        planetoid(tmp_path, "tiny")
