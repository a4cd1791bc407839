"""Bad input from the command line: one line with the value, the rule and the remedy; exit status 2; no folder is left."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from common.engines import Gradient
from common.engines.dropping import ShrinkSettings
from common.stages.search import check_search
from graphs.geometric import Data
from graphs.pdnas.recipes import RECIPES
from tests.common.refusing import refused
from tests.common.run.killing import kill_when
from tests.graphs.data.makers import Single, ring, span, write_planetoid
from tests.graphs.micro import PRICED, call, child, task_of, tiny, words

HERE = "tests.graphs.test_bad_input"


class Masks(Single):
    """A ring of eight nodes of two classes with masks; what is wrong with it, a subclass says."""

    def graph(self) -> Data:
        graph = ring(8)
        for key, mask in (("train", span(0, 4)), ("val", span(4, 6)), ("test", span(6, 8))):
            graph[f"{key}_mask"] = mask
        self.change(graph)
        return graph

    def change(self, graph: Data) -> None: ...


class Outside(Masks):
    def change(self, graph: Data) -> None:
        graph.edge_index[0, 3] = 8


class Infinite(Masks):
    def change(self, graph: Data) -> None:
        graph.x[5, 2] = float("nan")


class Unlearnt(Masks):
    def change(self, graph: Data) -> None:
        graph.y[4:6] = torch.tensor([2, 3])


class Untested(Masks):
    def change(self, graph: Data) -> None:
        graph.test_mask = span(0, 0)


class Overlapping(Masks):
    def change(self, graph: Data) -> None:
        graph.val_mask = span(3, 6)


class Lonely(Masks):
    """Node 7 has no edge."""

    def change(self, graph: Data) -> None:
        graph.edge_index = graph.edge_index[:, (graph.edge_index != 7).all(0)]


@pytest.fixture
def refuse(capsys, tmp_path):
    """Runs a micro search that must be refused; gives the message."""

    def refuse(*more: str, settings: Sequence[str] = (), data: tuple[str, ...] = (), method: str = "pdnas") -> str:
        argv = words(tmp_path / "run", *more, settings=settings, data=data, method=method)
        error = refused(call, argv, (), capsys)
        assert not (tmp_path / "run").exists()
        return error

    return refuse


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Outside", ("column 3 of edge_index", "joins nodes 8 and", "x has 8 nodes (0 to 7)", "correct edge_index")),
        ("Infinite", ("feature 2 of node 5 is nan", "must be finite", "replace it")),
        ("Unlearnt", ("no training node has class '2', '3'", "can never be predicted", "put nodes of it into the training mask")),
        ("Untested", ("test has no node", "every split needs at least one", "correct its mask")),
        ("Overlapping", ("1 nodes are in train and in val", "the first is node 3", "correct the masks")),
    ],
)
def test_graphs_that_cannot_be_used(refuse, name, parts):
    error = refuse(data=("--name", f"{HERE}:{name}"), method="random" if name == "Infinite" else "pdnas")
    assert error.startswith(f"error: {name}: ") and all(part in error for part in parts), error


def test_nodes_without_a_neighbour_are_a_note(tmp_path):
    path = tmp_path / "run"
    argv = words(path, data=("--name", f"{HERE}:Lonely"))
    assert kill_when(child(argv, lambda: None), (path / "stages.jsonl").exists) == -signal.SIGKILL
    notes = json.loads((path / "config.json").read_text())["data"]["notes"]
    assert "Lonely: 1 of 8 nodes have no edge: only their own features say what they are" in notes


def missing(folder):
    (folder / "ind.tiny.graph").unlink()
    (folder / "ind.tiny.tx").unlink()


def cut_off(folder):
    file = folder / "ind.tiny.allx"
    file.write_bytes(file.read_bytes()[:-200])


def of_two_downloads(folder):
    file = folder / "ind.tiny.test.index"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


ORIGIN = "https://github.com/kimiyoung/planetoid (data/)"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (missing, ("ind.tiny.tx, ind.tiny.graph missing", "all eight files are needed", f"get them from {ORIGIN}")),
        (cut_off, ("ind.tiny.allx is cut off or damaged", f"get it again from {ORIGIN}")),
        (of_two_downloads, ("ind.tiny.test.index has 19 nodes, yet ind.tiny.tx has 20 rows", "get them all again")),
    ],
)
def test_raw_files_that_are_not_whole(refuse, tmp_path, change, parts):
    folder = write_planetoid(tmp_path / "data")
    change(folder)
    error = refuse(data=("--data", str(folder), "--name", "tiny"))
    assert str(folder) in error and all(part in error for part in parts), error


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (("--name", "Cora"), ("data set 'Cora' needs the folder", "give a folder")),
        (("--data", "FOLDER"), ("a folder needs the name of a data set in it", "it has tiny", "name one")),
        (("--data", "FOLDER", "--name", "Pubmed"), ("no file ind.pubmed.*", "it has tiny", "correct the name", ORIGIN)),
        (("--data", "FOLDER/none", "--name", "Cora"), ("FOLDER/none is no folder", "give one that holds Planetoid's raw files")),
        (("--name", f"{HERE}:Nothing"), ("has no class Nothing", "correct the path")),
        (("--data", "FOLDER", "--name", f"{HERE}:Lonely"), ("takes no folder", "leave it out")),
    ],
)
def test_data_sets_that_are_not_there(refuse, tmp_path, data, parts):
    folder = str(write_planetoid(tmp_path / "data"))
    error = refuse(data=tuple(word.replace("FOLDER", folder) for word in data))
    assert all(part.replace("FOLDER", folder) in error for part in parts), error


SETTINGS = [
    ((), "space.blocks=0", ("space.blocks=0", "give 1 or more")),
    ((), "space.heads=[3]", ("3 heads do not divide the width 16", "give widths that all heads divide")),
    ((), "space.widths=[8]", ("width is 16", "does not offer: 8")),
    ((), "network.dropout=1", ("network.dropout=1", "below 1")),
    ((), "train.steps=0", ("train.steps=0", "give 1 or more")),
    ((), "train.steps=few", ("train.steps=few", "steps takes a whole number")),
    ((), 'weights.stop={"patience":5}', ("weights.stop", "leave weights.stop out")),
    ((), 'tune.grid={"network.dropout":[]}', ("tune.grid: network.dropout has no values",)),
    ((), "train.stop.patience=3", ("train.stop.patience=3", "as a whole")),  # which a micro run does
    (("--recipe", "huge"), "", ("recipe 'huge' does not exist", "smoke, small, paper")),
    (("--budget", "flops=1e6"), "", ("budget 'flops' is no cost of a graph network", "params, macs")),
    (("--budget", "macs=many"), "", ("budget 'macs=many'", "write metric=number")),
    (("--skip-bad",), "", ("--skip-bad", "a graph is one piece", "fix the data instead")),
]


@pytest.mark.parametrize(("more", "setting", "parts"), SETTINGS)
def test_settings_that_do_not_fit(refuse, more, setting, parts):
    error = refuse(*more, settings=(setting,) if setting else ())
    assert all(part in error for part in parts), error


@pytest.mark.parametrize(("metric", "least"), [("params", "195"), ("macs", "10,560")])
def test_a_budget_that_no_network_keeps(refuse, metric, least):
    """In a space that is quickly priced; the cheapest is GCN."""
    error = refuse("--budget", f"{metric}=100", settings=PRICED, method="graphnas")
    assert f"budget {metric}=100 is impossible: the cheapest architecture costs {least} {metric}; raise the budget" in error


def test_an_unknown_method_is_no_command(capsys):
    with pytest.raises(SystemExit) as stop:
        call(["nasnet"])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error == (
        "error: command 'nasnet' does not exist; `python -m graphs.train --help` lists the commands\n"
    )


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ('tune.grid={"network.drop":[0.5]}', ("network.drop=0.5", "no field 'drop'")),
        ('tune.grid={"network.dropout":[0.5,1.5]}', ("network.dropout=1.5", "below 1")),
        ('train.stop={"metric":"auc"}', ("stop.metric=auc", "accuracy, loss")),
        (
            "search.engine.options.kind=softmax",
            ("options.kind=softmax", "cannot be mixed", "sample its options"),
        ),
        ('search.engine.members={"kind":"softmax"}', ("this space has no members to weigh", "set members=null")),
        (
            "search.engine.threshold=0.5",
            ("a fixed number of inputs", "search.engine.threshold=null"),
        ),
        ('search.engine.shrink={"at":[0.5],"keep":[99]}', ("shrink: keep=99: no decision has more than", "keep fewer")),
        ('search.engine.prune={"every":2}', ("prune: it closes gates",)),
        ("search.engine.cap=1", ("between skip_connect and other operations; set search.engine.cap=null",)),
        ('search.engine.derive={"engine":{"eta":1}}', ("search.engine.derive.engine=halving", "eta")),
        ("search.engine.cost=dual", ("cost=dual without a budget", "or cost=filter")),
        ("search.engine.reward=auc", ("reward=auc: training gives", "name one of them")),
        ("search.engine.radius=0.3", ("radius with options.kind=annealed-gumbel",)),
    ],
)
def test_what_only_later_stages_read_is_refused_before_the_search(refuse, setting, parts):
    error = refuse(settings=(setting,))
    assert all(part in error for part in parts), error


def test_options_of_some_decisions_alone_may_be_dropped(tmp_path):
    """Blocks have decisions of two options and of more."""
    s = tiny()
    assert isinstance(s.search.engine, Gradient)
    s = replace(s, search=replace(s.search, engine=replace(s.search.engine, shrink=ShrinkSettings(at=(0.5,), keep=(2,)))))
    check_search(s.search, task_of(s), [])


@pytest.mark.parametrize("recipe", RECIPES["pdnas"])
def test_recipes_are_not_refused(recipe):
    s = RECIPES["pdnas"][recipe]()
    check_search(s.search, task_of(s), [])
