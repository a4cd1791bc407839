"""`describe pdnas`: one JSON object with the counts of a network on a graph."""

import json
import subprocess
import sys
from functools import partial

import pytest

from common.arch import save
from common.commands import run_commands
from common.errors import UserError
from common.space import decode, sample
from common.streams import stream
from graphs.pdnas.names import read_network
from graphs.pdnas.space import by_hand, pdnas_space
from graphs.pdnas.system import SYSTEM, Describing
from graphs.systems import SYSTEMS
from tests.graphs.data.makers import write_planetoid

COUNTS = {
    "GCN Cora": 23_063,
    "GCN CiteSeer": 59_366,
    "GCN PubMed": 8_067,
    "GAT Cora": 92_373,
    "GAT CiteSeer": 237_586,
    "GAT PubMed": 33_779,
}
run = partial(run_commands, "python -m graphs.train", SYSTEMS)


def described(capsys, *words: str) -> dict:
    capsys.readouterr()
    run(["describe", "pdnas", *words])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("text", COUNTS)
def test_published_counts(text):
    found = SYSTEM.describe(Describing(arch=text))
    assert found["params"] == COUNTS[text] == SYSTEM.published()[text].params
    assert found["graph"] == text.split()[1] and found["arch"] == text


@pytest.mark.parametrize(("graph", "widths"), [("Cora", (1433, 7)), ("CiteSeer", (3703, 6)), ("PubMed", (500, 3))])
def test_macs_are_those_of_linear_layers_for_one_node(graph, widths):
    features, classes = widths
    assert SYSTEM.describe(Describing(arch="GCN", graph=graph))["macs"] == 16 * (features + classes)
    assert SYSTEM.describe(Describing(arch="ARMA", graph=graph))["macs"] == 2 * 16 * (features + classes)


def test_the_command_line(capsys):
    found = described(capsys, "--arch", "GCN", "--graph", "CiteSeer")
    assert found["params"] == 59_366 and found["graph"] == "CiteSeer" and found["system"] == "pdnas"
    assert "3703 features, 6 classes" in found["convention"]
    assert [block["width"] for block in found["description"]["blocks"]] == [16, 6]
    assert described(capsys, "--arch", "GCN", "--graph", "3703x6") == {**found, "graph": "3703x6"}
    assert described(capsys, "--arch", "GCN")["params"] == described(capsys, "--arch", "GCN Cora")["params"] == 23_063
    assert described(capsys, "--arch", "GAT PubMed")["params"] == 33_779  # eight heads in the last block
    assert described(capsys, "--arch", "GCN Cora", "--graph", "PubMed")["params"] == 8_067


def test_the_script_alone_describes():
    """In a process of its own: what a command imports late, it imports outside the meta device."""
    script = [sys.executable, "-m", "graphs.train", "describe", "pdnas", "--arch", "GAT", "--graph", "CiteSeer"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "" and json.loads(done.stdout)["params"] == 237_586


def test_a_data_set_says_which_graph(capsys, tmp_path):
    write_planetoid(tmp_path)  # 5 features, 3 classes
    found = described(capsys, "--arch", "GCN", "--data", str(tmp_path), "--name", "tiny")
    assert found["graph"] == "5x3" and found["params"] == (5 + 1) * 16 + (16 + 1) * 3


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("form", [{}, {"extended": True}, {"shortcuts": False}, {"widths": (16, 32), "heads": (1, 2, 4)}])
def test_architecture_files(form, blocks, tmp_path):
    """Of every space that a recipe has, with any number of blocks."""
    space = pdnas_space(500, 3, blocks, **form)
    file = tmp_path / "arch.json"
    rng = stream(0, "files")
    for arch in (sample(space, rng) for _ in range(4)):
        save(file, space, arch)
        assert read_network(str(file), "PubMed") == ("PubMed", decode(space, arch))


def test_an_architecture_file_is_described(capsys, tmp_path):
    space = pdnas_space(1433, 7, 2, shortcuts=False)
    arch = sample(space, stream(1, "file"))
    save(tmp_path / "arch.json", space, arch)
    found = described(capsys, "--arch", str(tmp_path / "arch.json"), "--graph", "Cora")
    network = decode(space, arch)
    assert [block["activation"] for block in found["description"]["blocks"]] == [b.activation for b in network.blocks]
    first, last = network.blocks
    assert found["macs"] == 1433 * first.width + first.width * last.heads * 7


def test_names_are_read_as_they_are_written():
    assert read_network("GAT", None)[1] == by_hand("GAT", 1433, 7)
    with pytest.raises(UserError, match="no such file, and no operator"):
        read_network("gat", None)


def damaged(tmp_path, change) -> str:
    """The path of an architecture file after `change` of what it holds."""
    space, file = pdnas_space(1433, 7, 2), tmp_path / "arch.json"
    save(file, space, sample(space, stream(0, "damaged")))
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    return str(file)


BAD_FILES = {
    "unknown option": (lambda d: d["choices"].update({"blocks.0.width": "7"}), "'blocks.0.width' has no option '7'; it has 16"),
    "missing": (lambda d: d["choices"].pop("blocks.1.heads"), "'blocks.1.heads' is missing; it needs one of 1, 2"),
    "another space": (lambda d: d["choices"].update({"blocks.0.kernel": "3"}), "'blocks.0.kernel' does not exist in this space"),
    "other options": (lambda d: d.update(space="0123456789ab"), "written for space 0123456789ab, not "),
    "no choices": (lambda d: d.pop("choices"), "not an architecture file: it needs an object with 'space' and 'choices'"),
    "choices of nothing": (lambda d: d.update(choices=3), "not an architecture file"),
    "a list of choices": (lambda d: d.update(choices=[[1, 2]]), "not an architecture file"),
    "a block too far": (lambda d: d["choices"].update({"blocks.99999.width": "16"}), "'blocks.99999.width' does not exist"),
    "empty": (lambda d: d.clear(), "not an architecture file"),
}


def refused(capsys, *words: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        run(["describe", *words])
    out, error = capsys.readouterr()
    assert stop.value.code == 2 and out == "" and error.startswith("error: ") and error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("fault", BAD_FILES)
def test_damaged_files(fault, capsys, tmp_path):
    change, message = BAD_FILES[fault]
    file = damaged(tmp_path, change)
    error = refused(capsys, "pdnas", "--arch", file)
    assert file in error and message in error


@pytest.mark.parametrize("content", [b"", b'{"space": "', b"\xff\xfe\x00", b"[" * 20, b"[" * 100_000])
def test_files_that_are_not_json(content, capsys, tmp_path):
    file = tmp_path / "arch.json"
    file.write_bytes(content)
    assert "arch.json: not JSON" in refused(capsys, "pdnas", "--arch", str(file))


def test_what_does_not_exist(capsys, tmp_path):
    gone = str(tmp_path / "gone.json")
    operators = "no operator (GCN, GAT, SAGE, ARMA, APPNP)"
    for words, message in (
        (("pdnas", "--arch", "GIN"), f"GIN: no such file, and {operators}"),
        (("pdnas", "--arch", gone), f"{gone}: no such file, and {operators}"),
        (("pdnas", "--arch", str(tmp_path)), f"{tmp_path} is a folder; of a run, give {tmp_path}/best/arch.json"),
        (("pdnas", "--arch", "GCN", "--graph", "Reddit"), "graph 'Reddit' is none of Cora, CiteSeer, PubMed; give one, FEATURES"),
        (("pdnas", "--arch", "GCN Reddit"), "graph 'Reddit' is none of"),
        (("pdnas", "--arch", "GCN", "--graph", "12"), "graph '12' is none of"),
        (("pdnas", "--arch", "GCN", "--graph", "9" * 30 + "x7"), "x7' is none of"),
        (("pdnas", "--arch", "GCN", "--graph", "0x7"), "2 blocks, 0 features, 7 classes: give at least 1 of each"),
        (("gcn", "--arch", "GCN"), "system 'gcn' does not exist; choose one of pdnas"),
        (("pdnas", "--arch", "GCN", "--graph", "Cora", "--data", str(tmp_path)), "--graph and --data both say which graph"),
        (("pdnas", "--arch", "GCN", "--data", str(tmp_path), "--name", "cora"), str(tmp_path)),
    ):
        assert message in refused(capsys, *words)
