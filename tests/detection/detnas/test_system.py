"""`describe`: every way to name an architecture, and every way to get it wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.arch import save, to_json
from common.commands import run_commands
from common.errors import UserError
from common.space import Arch, OneOf
from detection.detnas.names import read_arch
from detection.detnas.networks import TINY, spaces
from detection.detnas.space import PUBLISHED, arch_of_genes, classifier, uniform_arch
from detection.detnas.system import SYSTEM, Describing
from detection.systems import SYSTEMS

ROOT = Path(__file__).parents[3]


def describe(text: str, space: str | None) -> dict[str, Any]:
    """What `describe detnas` prints."""
    return SYSTEM.described(Describing(arch=text, space=space))


@pytest.mark.parametrize(
    ("name", "official", "params"),
    [
        ("COCO_FPN_300M", 20_732_660, 3_533_112),
        ("COCO_FPN_1.3G", 27_449_748, 10_426_328),
        ("COCO_FPN_3.8G", 46_122_480, 31_444_596),
    ],
)
def test_whole_detectors_have_the_parameters_of_the_release(name, official, params):
    found = describe(name, None)
    assert found["detector"]["params_official"] == official
    assert found["detector"]["params"] == official - 4 * 1025
    assert found["params"] == params
    assert found["space"] == PUBLISHED[name].space


def test_a_gene_string_is_described_like_the_name_it_stands_for():
    named, given = describe("COCO_FPN_300M", "300M"), describe("2 1 2 0 | 2 1 1 2 | 3 3 1 3 0 0 3 1 | 3 1 3 2", None)
    assert {**given, "arch": "COCO_FPN_300M"} == named
    assert "1000 classes" in named["convention"]
    assert json.loads(json.dumps(named))["description"]["backbone"]["stages"][0]["blocks"][0] == "shuffle7"


def test_space_decides_between_spaces_of_one_length():
    genes = PUBLISHED["COCO_FPN_3.8G"].genes
    with pytest.raises(UserError, match=r"name one: --space 1\.3G"):
        read_arch(genes, None)
    assert [read_arch(genes, name)[0] for name in ("1.3G", "3.8G")] == ["1.3G", "3.8G"]


@pytest.mark.parametrize("form", ["classifier", "backbone", "detector"])
def test_architecture_files_of_every_form_are_read(tmp_path, form):
    net = classifier("tiny")
    space = {"classifier": net, "backbone": net.backbone, "detector": spaces()[TINY]}[form]
    arch = arch_of_genes(space, (0, 1, 2, 3, 3, 2, 1, 0))
    path = tmp_path / "arch.json"
    save(path, space, arch)
    found = describe(str(path), None)
    assert (found["space"], found["genes"]) == ("tiny", "0 1 2 3 3 2 1 0")
    assert (found["detector"]["head"], found["detector"]["image"]) == ("RetinaNet", [64, 64])
    other = tmp_path / "winner"  # by any other name
    path.rename(other)
    assert read_arch(str(other), "tiny")[2] == arch_of_genes(net, (0, 1, 2, 3, 3, 2, 1, 0))


STALE = "stages.2.blocks.1"


def edited(form: str) -> dict:
    """A file of the 300M space, with something wrong in it."""
    net = classifier("300M")
    space = net.backbone if form == "backbone" else net
    data = to_json(space, uniform_arch(space, 1))
    path = STALE if form == "backbone" else f"backbone.{STALE}"
    if form == "lacking":
        del data["choices"][path]
    elif form == "foreign":
        data["choices"] = {"cell.0": "sep_conv", "cell.1": "skip"}
    elif form == "moved":
        data["space"], data["digests"][path] = "0123456789ab", "abcdef"
    elif form == "extra":
        data["choices"]["backbone.width"] = "wide"
    else:
        data["choices"][path] = "shuffle9"
    return data


@pytest.mark.parametrize(
    ("form", "space", "says"),
    [
        ("classifier", None, f"'backbone.{STALE}' has no option 'shuffle9'; it has shuffle3, shuffle5, shuffle7, xception3"),
        ("classifier", "300M", f"'backbone.{STALE}' has no option 'shuffle9'"),
        ("backbone", None, f"decision '{STALE}' has no option 'shuffle9'"),
        ("lacking", None, f"'backbone.{STALE}' is missing"),
        ("moved", None, f"the options of decision 'backbone.{STALE}' have changed or moved"),
        ("extra", None, "'backbone.width' does not exist in this space"),
        ("foreign", None, "decision 'cell.0' is none of DetNAS's"),
    ],
)
def test_a_bad_file_is_refused_with_the_decision(tmp_path, form, space, says):
    path = tmp_path / "arch.json"
    path.write_text(json.dumps(edited(form)))
    with pytest.raises(UserError) as refused:
        describe(str(path), space)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_of_another_size_is_refused(tmp_path):
    net = classifier("300M")
    path = tmp_path / "arch.json"
    save(path, net, uniform_arch(net, 0))
    with pytest.raises(
        UserError, match=r"arch\.json is an architecture of space 300M \(20 decisions\), not tiny; leave --space out"
    ):
        describe(str(path), "tiny")


def test_of_a_folder_the_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; of a run, give .*best/arch\.json"):
        describe(str(tmp_path), None)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"choices": [1]}', "{"])
def test_what_is_no_architecture_file_is_refused(tmp_path, text):
    path = tmp_path / "arch.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"arch\.json: not"):
        describe(str(path), None)


@pytest.mark.parametrize(
    ("text", "space", "says"),
    [
        ("COCO_FPN_301M", None, "'COCO_FPN_301M' is no published name (COCO_FPN_300M"),
        ("COCO_FPN_300M", "3.8G", "COCO_FPN_300M is an architecture of space 300M, not 3.8G"),
        ("0 1 2", None, "no space has 3 blocks"),
        ("0 1 2", "tiny", "3 genes for a space of 8 blocks"),
        ("0 1 2 3 0 1 2 7", None, "gene 7: a block is one of 0 1 2 3"),
        ("0 1 2 3 0 1 2 3", "huge", "space 'huge' does not exist; choose one of tiny, tiny-scaled"),
        ("missing/arch.json", None, "missing/arch.json: cannot be read (No such file or directory)"),
        ("9" * 5000, None, "is no gene string"),
    ],
)
def test_what_names_no_architecture_is_refused(text, space, says):
    with pytest.raises(UserError) as refused:
        describe(text, space)
    assert says in str(refused.value)


def run(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "detection.train", "describe", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_prints_json_alone():
    done = run("detnas", "--arch", "0 1 2 3 0 1 2 3")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(json.dumps(describe("0 1 2 3 0 1 2 3", None)))


def test_the_command_answers_bad_input_with_one_line_and_status_2(capsys):
    done = run("no-such-system", "--arch", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: system 'no-such-system' does not exist; choose one of detnas, nas-fpn, efficientdet\n"
    for genes, says in {"0 1 2 3 0 1 2 7": "gene 7: a block is one of 0 1 2 3", "0 1": "no space has 2 blocks"}.items():
        with pytest.raises(SystemExit) as left:
            run_commands("python -m detection.train", SYSTEMS, ["describe", "detnas", "--arch", genes])
        printed = capsys.readouterr()
        assert (left.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
        assert printed.err.startswith(f"error: {says}")


@pytest.mark.parametrize("own", ["1.3G", "3.8G"])
def test_a_file_of_two_sizes_with_the_same_decisions_is_read_by_its_run(tmp_path, own):
    space = classifier(own)
    file = tmp_path / "best" / "arch.json"
    file.parent.mkdir()
    save(file, space, uniform_arch(space, 1))
    with pytest.raises(UserError, match=r"may be of space 1.3G or 3.8G, which have the same decisions; name it: --space 1.3G"):
        read_arch(str(file), None)
    assert read_arch(str(file), own).name == own
    (tmp_path / "config.json").write_text(json.dumps({"settings": {"space": own}}))
    assert read_arch(str(file), None) == (own, space, uniform_arch(space, 1))


@pytest.mark.parametrize("space", [{"size": "smoke"}, "paper", 3])
def test_a_file_in_a_run_of_another_system_is_refused_by_its_decisions(tmp_path, space):
    file = tmp_path / "best" / "arch.json"
    file.parent.mkdir()
    net = {"cell": OneOf("conv", "pool")}
    save(file, net, Arch({"cell": 0}))
    (tmp_path / "config.json").write_text(json.dumps({"settings": {"space": space}}))
    with pytest.raises(UserError, match="decision 'cell' is none of DetNAS's; give a file of this system"):
        read_arch(str(file), None)
