"""Every way to write a cell down, and what is refused."""

import json

import pytest

from classification.cells.genotypes import from_text, published, read_genotype, to_text
from classification.cells.space import OPERATIONS, WITHOUT_NONE, arch_of, darts_space, genotype_of, standalone
from classification.systems import SYSTEMS
from common.arch import save
from common.commands import run_commands
from common.errors import UserError
from common.space import decode, sample
from common.streams import stream

ROWS = {
    "normal": [[2, 0, "sep_conv_3x3"], [2, 1, "skip_connect"], [3, 0, "none"], [3, 2, "dil_conv_3x3"]],
    "normal_concat": [2, 3],
    "reduce": [[2, 0, "max_pool_3x3"], [2, 1, "max_pool_3x3"], [3, 1, "skip_connect"], [3, 2, "skip_connect"]],
    "reduce_concat": [2, 3],
}
PAIRS = """
MINE = Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ('none', 0), ('dil_conv_3x3', 2)], normal_concat=range(2, 4),
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('skip_connect', 1)], reduce_concat=[2, 3])
"""
TEXT = "Genotype(normal={}, normal_concat={}, reduce=[('skip_connect', 0), ('skip_connect', 1)], reduce_concat=[2])"


def test_all_notations_say_the_same(tmp_path):
    rows, text = tmp_path / "rows.json", tmp_path / "cells.txt"
    rows.write_text(json.dumps(ROWS))
    text.write_text(PAIRS)
    positional = PAIRS.partition("=")[2].strip()
    for key in ("normal_concat=", "reduce_concat=", "normal=", "reduce="):
        positional = positional.replace(key, "")
    read = read_genotype(str(rows))
    assert read == read_genotype(str(text)) == read_genotype(positional) == from_text(to_text(read))
    assert [(edge.source, edge.op) for edge in read.normal.nodes[1].edges] == [(0, "none"), (2, "dil_conv_3x3")]
    assert read.normal.concat == (2, 3)


def test_published_cells_survive_their_text():
    assert len(published()) == 34
    for genotype in published().values():
        assert from_text(to_text(genotype)) == genotype


def test_a_node_without_inputs_does_not_exist():
    cell = published()["FairDARTS_c"].normal  # node 5 reads node 3, which has no inputs
    assert cell.concat == (2, 4, 5)
    assert cell.nodes[1].edges == ()
    assert [(edge.source, edge.op) for edge in cell.nodes[3].edges] == [(0, "sep_conv_3x3")]
    triples = "[('sep_conv_3x3', 2, 0), ('max_pool_3x3', 4, 0)]"
    assert read_genotype(TEXT.format(triples, "range(2, 6)")).normal.concat == (2, 4)


@pytest.mark.parametrize("none", [False, True])
def test_an_architecture_file_is_a_genotype(tmp_path, none):
    space = darts_space(nodes=3, operations=OPERATIONS if none else WITHOUT_NONE, width=4, cells=2)
    for i in range(5):
        arch = sample(space, stream(i, "arch"))
        save(tmp_path / "arch.json", space, arch)
        read = read_genotype(str(tmp_path / "arch.json"))
        assert read == genotype_of(decode(space, arch))
        assert arch_of(space, standalone(read)) == arch


BAD_ROWS = {
    "unknown operation": (lambda d: d["normal"][0].__setitem__(2, "conv_9x9"), ("'conv_9x9' does not exist", "sep_conv_3x3, ")),
    "target is an input": (lambda d: d["reduce"][0].__setitem__(0, 1), ("reduce has [1, 0, 'max_pool_3x3']", "numbered from 2")),
    "target beyond": (lambda d: d["normal"][0].__setitem__(0, 9), ("node 9, beyond the last one of the output", "normal_concat")),
    "target far away": (
        lambda d: d["normal"][0].__setitem__(0, 10**9),
        ("[1000000000, 0, 'sep_conv_3x3']", "more than 99 nodes"),
    ),
    "source after target": (lambda d: d["normal"][0].__setitem__(1, 3), ("node 2 cannot read node 3", "before the target")),
    "source is target": (lambda d: d["normal"][0].__setitem__(1, 2), ("node 2 cannot read node 2", "before the target")),
    "negative source": (lambda d: d["normal"][0].__setitem__(1, -1), ("no node -1", "numbered from 0")),
    "concat beyond": (lambda d: d["normal_concat"].append(12), ("normal_concat names node 12", "nodes 2 to 5")),
    "concat of an input": (lambda d: d["normal_concat"].append(0), ("normal_concat names node 0", "nodes 2 to 5")),
    "concat twice": (lambda d: d["normal_concat"].append(3), ("normal_concat is [2, 3, 3]", "each once")),
    "concat of nothing": (lambda d: d["normal_concat"].clear(), ("normal_concat is []", "each once")),
    "concat is a word": (lambda d: d.update(normal_concat="2345"), ("normal_concat is '2345'", "[2, 3, 4, 5]")),
    "no input": (lambda d: d["normal"].clear(), ("normal: none of the nodes [2, 3]", "give one of them an edge")),
    "short row": (lambda d: d["normal"][0].pop(), ("normal has [2, 0]", "[target, source, operation]")),
    "row of other types": (lambda d: d["normal"][0].__setitem__(0, "2"), ("normal has ['2', 0", "[target, source, operation]")),
    "rows are a number": (lambda d: d.update(reduce=7), ("reduce is 7", "[target, source, operation]")),
    "missing": (lambda d: d.pop("reduce_concat"), ("'reduce_concat' is missing", "normal, normal_concat, reduce")),
    "another architecture": (lambda d: d.update(choices={"stem": "a"}), ("of another space", "give one of darts")),
    "no choices": (lambda d: d.update(choices=3), ("of another space", "give one of darts")),
    "foreign choices": (
        lambda d: d.update(choices={"normal.nodes.0.edges": "{a, b}"}),
        ("'normal.nodes.0.edges' has no option '{a, b}'", "Edge(source=0)"),
    ),
}
BAD_TEXTS = {
    "cut off": (PAIRS[:90], ("cannot be parsed in line 1", "write Genotype(")),
    "no genotype": ("x = 3", ("has 0 of Genotype(...)", "one")),
    "two genotypes": (PAIRS + PAIRS, ("has 2 of Genotype(...)", "one")),
    "code": (TEXT.format("__import__('os').listdir()", "[2]"), ("normal is \"__import__('os').listdir()\"", "write a list")),
    "endless range": (TEXT.format("[('none', 0)]", "range(10**9)"), ("normal_concat is 'range(10 ** 9)'", "range(2, 6)")),
    "odd escape": (TEXT.format("[('\\d', 0), ('none', 1)]", "[2]"), ("operation '\\\\d' does not exist", "sep_conv_3x3")),
    "odd": (TEXT.format("[('skip_connect', 0)]", "[2]"), ("normal has 1 pairs", "each node has two")),
    "not pairs": (TEXT.format("['skip_connect', 0]", "[2]"), ("normal is ['skip_connect', 0]", "pairs")),
    "mixed": (TEXT.format("[('skip_connect', 0), ('none', 2, 0)]", "[2]"), ("normal has ('none', 2, 0)", "throughout")),
    "no field": ("Genotype(normal=[])", ("'normal_concat' is missing", "a genotype has")),
    "damaged json": ('{"normal": [[2, 0, "sep', ("not JSON", "as it was written")),
    "binary": (b"\xff\xfe\x00", ("cannot be read", "text or JSON")),
    "empty": ("", ("has 0 of Genotype(...)", "one")),
}


@pytest.fixture
def refuse(capsys):
    """Describes what must be refused; looks for `parts` in the message."""

    def refuse(arch: str, *more: str, parts: tuple[str, ...]) -> None:
        with pytest.raises(SystemExit) as stop:
            run_commands("python -m classification.train", SYSTEMS, ["describe", *(more or ("darts",)), "--arch", arch])
        assert stop.value.code == 2
        out, error = capsys.readouterr()
        assert out == "" and error.startswith("error: ") and error.count("\n") == 1, error
        for part in parts:
            assert part in error, error

    return refuse


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_bad_rows(fault, refuse, tmp_path):
    change, parts = BAD_ROWS[fault]
    data = json.loads(json.dumps(ROWS))
    change(data)
    file = tmp_path / "cells.json"
    file.write_text(json.dumps(data))
    refuse(str(file), parts=(str(file), *parts))


@pytest.mark.parametrize("fault", BAD_TEXTS)
def test_bad_files(fault, refuse, tmp_path):
    content, parts = BAD_TEXTS[fault]
    file = tmp_path / "cells.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    refuse(str(file), parts=(str(file), *parts))


def test_names_and_paths(refuse, tmp_path):
    refuse("DARTS_V3", parts=("'DARTS_V3'", "did you mean DARTS_V", "There are NASNet, "))
    refuse("darts_v2", parts=("'darts_v2'", "did you mean DARTS_V2"))
    refuse("qqq", parts=("'qqq'", "There are NASNet, "))
    refuse(str(tmp_path / "none.json"), parts=("none.json: no such file", "give a published name"))
    refuse(str(tmp_path), parts=("is a folder", "arch.json"))
    refuse("DARTS_V2", "darts", "--skeleton", "cifar100", parts=("skeleton 'cifar100'", "cifar, imagenet"))
    refuse("DARTS_V2", "dartz", parts=("system 'dartz'", "darts"))


def test_operations_of_other_papers_are_offered_too():
    with pytest.raises(UserError, match="conv_7x1_1x7"):
        read_genotype(TEXT.format("[('conv', 0), ('none', 1)]", "[2]"))


LOGGED = [
    "genotype = {}",
    "2018-06-01 10:00:00,123 genotype = {}",
    "06/01 10:00:00 AM genotype = {} [rank 0]",
    "INFO: epoch 49\n06/01 10:00:00 AM genotype = {}\nINFO: done",
]


@pytest.mark.parametrize("line", LOGGED)
def test_a_line_of_a_search_log_is_read_without_running_it(line, tmp_path):
    genotype = published()["DARTS_V2"]
    text = line.format(to_text(genotype))
    (tmp_path / "log.txt").write_text(text)
    assert read_genotype(text) == read_genotype(str(tmp_path / "log.txt")) == genotype
    call = f"__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()"
    with pytest.raises(UserError, match=r"normal is .*; write a list"):
        read_genotype(line.format(f"Genotype(normal={call}, normal_concat=[2], reduce=[], reduce_concat=[2])"))
    with pytest.raises(UserError, match="has 2 of Genotype"):
        read_genotype(f"{text}\n{text}")
    assert not (tmp_path / "ran").exists()
