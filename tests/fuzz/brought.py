"""Files that users bring: data sets, tables, graphs, architectures."""

import shutil
from pathlib import Path
from random import Random

import numpy as np

from classification.cells.genotypes import published, read_genotype, to_text
from classification.data.archive import read_archive
from classification.data.cifar import LAYOUTS, read_cifar
from common.arch import load
from common.cost.table import LatencyTable
from common.describe import read_file
from common.space import OneOf, decisions, label, space_fingerprint
from common.tables.columns import read as read_columns
from common.tables.own import read_scores, read_table
from detection.data import coco_folder
from detection.detnas.names import read_arch as read_detnas
from gan.compression.names import read as read_gan
from graphs.data.planetoid import planetoid
from graphs.facts import GraphFacts
from graphs.pdnas.names import read_network
from segmentation.data import folder as segmentation_folder
from segmentation.dcnas.names import read_arch as read_dcnas
from tests.classification.data.makers import archive_arrays, cifar10_pickles, cifar100_pickles, write_archive
from tests.detection.data.folders import Folder
from tests.fuzz.case import Case
from tests.fuzz.damage import damaged_pickle
from tests.fuzz.runs import OLD, space_of
from tests.graphs.data.makers import write_planetoid
from tests.segmentation.data.folders import make_split_folders, make_voc

ROWS = "arch.a,arch.b,score.acc,cost.ms\n" + "".join(f"{i % 3},{i % 2},0.{i},{i}\n" for i in range(6))
LINES = "".join(
    f'{{"arch": {{"a": "{i % 3}", "b": "{i % 2}"}}, "scores": {{"acc": 0.{i}}}, "cost": {{"ms": {i}}}}}\n' for i in range(6)
)


def _graph(folder: Path) -> None:
    np.savez(folder / "graph.npz", x=np.ones((4, 3), np.float32), edge_index=np.array([[0, 1, 2], [1, 2, 3]]))


def _table(folder: Path) -> None:
    (folder / "rows.csv").write_text(ROWS)
    (folder / "rows.jsonl").write_text(LINES)


def _read_table(folder: Path, rng: Random) -> None:
    for name in ("rows.csv", "rows.jsonl"):
        read_table(folder / name, "acc", costs=("ms",))
        read_scores(folder / name, {"a": OneOf(0, 1, 2), "b": OneOf(0, 1)})


def _archs(folder: Path) -> None:
    for old in OLD:
        shutil.copy(old / "best" / "arch.json", folder / f"{old.name}.json")
    name, cells = next(iter(published().items()))
    (folder / "cells.txt").write_text(f"{name} = {to_text(cells)}\n")


def _read_archs(folder: Path, rng: Random) -> None:
    for old in OLD:
        file = folder / f"{old.name}.json"
        if file.read_bytes() == (old / "best" / "arch.json").read_bytes():
            continue
        readers = {"detnas": read_detnas, "gan": read_gan, "dcnas": read_dcnas, "pdnas": read_network, "darts": _cells}
        reader = readers.get(old.name)
        read_file(file, [("own", space_of(old))], old.name)
        if reader is not None:
            reader(str(file), None)
        load(file, space_of(old))
    read_genotype(str(folder / "cells.txt"))


def _cells(text: str, space: None) -> None:
    read_genotype(text)


def _latency(folder: Path) -> None:
    space = space_of(OLD[0])
    names = {path: [label(decision, i) for i in range(len(decision))] for path, decision in decisions(space).items()}
    rows = {path: [0.5] * len(texts) for path, texts in names.items()}
    table = LatencyTable(space=space_fingerprint(space), base_ms=1.0, rows=rows, labels=names, conditions={"threads": 1})
    (folder / "latency.json").write_text(table.text(), encoding="utf-8")


def _read_latency(folder: Path, rng: Random) -> None:
    space = space_of(OLD[0])
    LatencyTable.load(folder / "latency.json", space).predict(load(OLD[0] / "best" / "arch.json", space))


def _cifar(folder: Path) -> None:
    cifar10_pickles(folder / "ten", per_file=4)
    cifar100_pickles(folder / "hundred")


def _read_cifar(folder: Path, rng: Random) -> None:
    for layout in LAYOUTS:
        for part in ("ten", "hundred"):
            if layout.lies_in(folder / part):
                read_cifar(folder / part, layout)


FACTS = GraphFacts(features=3, classes=("a", "b"), multilabel=False)

CASES = (
    Case(
        name="COCO",
        make=lambda f: Folder(f / "coco"),
        read=lambda f, _: coco_folder(f / "coco"),
        files=("coco/annotations/*",),
        share=14,
    ),
    Case(name="VOC", make=make_voc, read=lambda f, _: segmentation_folder(f), files=("ImageSets/*/*.txt",), share=4),
    Case(name="classes", make=make_split_folders, read=lambda f, _: segmentation_folder(f), files=("classes.txt",), share=2),
    Case(name="graph", make=_graph, read=lambda f, _: FACTS.read(f / "graph.npz"), files=("*.npz",), share=8),
    Case(name="columns", make=_graph, read=lambda f, _: read_columns(f / "graph.npz", ("x",)), files=("*.npz",), share=2),
    Case(
        name="archive",
        make=lambda f: write_archive(f, archive_arrays({"train": 4, "val": 2, "test": 2})),
        read=lambda f, _: read_archive(f / "cifar10_webp.npz", "a", size=16, skip_bad=False, mirrored=False),
        files=("*.npz",),
        share=4,
    ),
    Case(
        name="Planetoid",
        make=write_planetoid,
        read=lambda f, _: planetoid(f, "tiny"),
        files=("ind.*",),
        share=8,
        damage=damaged_pickle,
    ),
    Case(name="CIFAR", make=_cifar, read=_read_cifar, files=("*/*",), share=6, damage=damaged_pickle),
    Case(name="tables", make=_table, read=_read_table, files=("rows.*",), share=6),
    Case(name="architectures", make=_archs, read=_read_archs, files=("*.json", "*.txt"), share=10),
    Case(name="latency table", make=_latency, read=_read_latency, files=("*.json",), share=3),
)
