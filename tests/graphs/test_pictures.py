"""Pictures of a network's results: what they show, read off the figures that are saved."""

from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from graphs.pdnas.recipes import RECIPES
from graphs.pictures import MOST_CLASSES, draw_results
from tests.graphs.data.makers import node_data, ring, span
from tests.graphs.micro import task_of

LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
FOUND = torch.tensor([0, 0, 1, 1, 1, 0])
DEGREES = torch.tensor([0, 1, 1, 5, 4, 40]).float()
SCORES = torch.eye(3)[FOUND]
NAMES = ("apple", "pear", "a very long name of a class")


@pytest.fixture
def saved(monkeypatch) -> dict[str, Figure]:
    """File name -> the figure that was saved under it."""
    figures: dict[str, Figure] = {}
    write = Figure.savefig

    def savefig(self, path, **more):
        figures[Path(path).name] = self
        write(self, path, **more)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_both_are_written(tmp_path):
    folder = tmp_path / "new" / "samples"
    rows = draw_results(SCORES, LABELS, DEGREES, NAMES, folder)
    assert files(folder) == sorted(row["file"] for row in rows) == ["confusion.png", "degrees.png"]
    assert all(row["caption"] for row in rows) and len({row["caption"] for row in rows}) == 2
    for name in files(folder):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG" and min(picture.size) > 300 and len(picture.convert("RGB").getcolors(10**6)) > 10
    before = [(folder / name).read_bytes() for name in files(folder)]
    draw_results(SCORES, LABELS, DEGREES, NAMES, folder)
    assert [(folder / name).read_bytes() for name in files(folder)] == before  # no date in them


def test_the_confusion_matrix(saved, tmp_path):
    draw_results(SCORES, LABELS, DEGREES, NAMES, tmp_path)
    (axes,) = saved["confusion.png"].axes
    counts = torch.zeros(3, 3, dtype=torch.int64)
    for text in axes.texts:
        column, row = text.get_position()
        counts[row, column] = int(text.get_text())
    assert counts.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]  # rows: true
    assert axes.get_ylabel() == "true" and axes.get_xlabel() == "found"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["apple", "pear", "a very long "]
    shades = torch.tensor(axes.images[0].get_array().tolist())
    assert torch.allclose(shades, counts / torch.tensor([[3], [2], [1]]))


def test_a_class_without_test_nodes_has_an_empty_row(saved, tmp_path):
    draw_results(SCORES[:5], LABELS[:5], DEGREES[:5], NAMES, tmp_path)
    shades = saved["confusion.png"].axes[0].images[0].get_array()
    assert shades.tolist()[2] == [0, 0, 0]


def bars(figure: Figure) -> dict[str, tuple[float, int]]:
    """Name of a group -> share that is right, and the nodes counted in it."""
    (axes,) = figure.axes
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    heights = [bar.get_height() for bar in axes.patches]
    return {name: (height, int(text.get_text())) for name, height, text in zip(names, heights, axes.texts, strict=True)}


def test_accuracy_by_neighbours(saved, tmp_path):
    draw_results(SCORES, LABELS, DEGREES, NAMES, tmp_path)
    assert bars(saved["degrees.png"]) == {"0": (1, 1), "1": (0.5, 2), "4-5": (1, 2), "17+": (0, 1)}


def test_every_number_of_neighbours_has_its_group(saved, tmp_path):
    degrees = torch.tensor([0, 1, 2, 3, 4, 5, 6, 8, 9, 16, 17, 500]).float()
    labels = torch.zeros(len(degrees), dtype=torch.int64)
    draw_results(torch.eye(2)[labels], labels, degrees, ("a", "b"), tmp_path)
    groups = {"0": 1, "1": 1, "2": 1, "3": 1, "4-5": 2, "6-8": 2, "9-16": 2, "17+": 2}
    assert bars(saved["degrees.png"]) == {name: (1, n) for name, n in groups.items()}


def test_of_several_classes_a_node_only_degrees_are_drawn(saved, tmp_path):
    scores = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
    labels = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    rows = draw_results(scores, labels, torch.tensor([1.0, 1.0, 2.0]), ("a", "b"), tmp_path)
    assert [row["file"] for row in rows] == files(tmp_path) == ["degrees.png"]
    assert bars(saved["degrees.png"]) == {"1": (0.75, 2), "2": (0.5, 1)}  # of entries


@pytest.mark.parametrize("classes", [MOST_CLASSES, MOST_CLASSES + 1])
def test_many_classes_have_no_confusion_matrix(classes, tmp_path):
    labels = torch.arange(classes)
    draw_results(torch.eye(classes), labels, torch.ones(classes), [str(i) for i in range(classes)], tmp_path)
    assert ("confusion.png" in files(tmp_path)) == (classes == 20)


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_task_draws_its_test_nodes(multilabel, saved, tmp_path):
    graph = ring(8, 2)
    if multilabel:
        graph.y = torch.stack([graph.y, 1 - graph.y], dim=1).float()
    masks = span(0, 3), span(3, 4), span(4, 8)
    task = task_of(RECIPES["pdnas"]["smoke"](), node_data(graph, masks, multilabel=multilabel))
    network = task.network(task.baseline, 0).eval()
    assert task.pictures(network, tmp_path / "none", 0) == [] and not list((tmp_path / "none").iterdir())
    rows = task.pictures(network, tmp_path / "some", 4)
    assert [row["file"] for row in rows] == (["degrees.png"] if multilabel else ["confusion.png", "degrees.png"])
    share, count = bars(saved["degrees.png"])["2"]
    assert count == 4 and share == pytest.approx(task.metrics(network, "test")["accuracy"])
