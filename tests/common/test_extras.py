"""Extras: their packages, what is said where some are missing, and that the metadata and pyproject.toml agree."""

import importlib
import pickle
import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common import extras
from common.deferred import Deferred
from common.extras import MissingPackages, imports_of, missing, modules_of, require

RUN = ("detection", "segmentation", "graphs", "gan", "export")


def test_packages_of_an_extra_are_those_of_pyproject():
    assert modules_of("detection") == ("mmengine", "mmcv", "mmdet", "pycocotools")
    assert modules_of("segmentation") == ("mmengine", "mmcv", "mmseg", "ftfy", "regex")
    assert modules_of("export") == ("onnx", "onnxscript", "onnxruntime")
    assert modules_of("classification") == modules_of("nothing") == ()


def test_import_names_are_those_that_the_installed_packages_have():
    providers = packages_distributions()
    for extra in RUN:
        for line, module in zip(extras._requirements()[extra], modules_of(extra), strict=True):
            assert canonicalize_name(Requirement(line).name) in map(canonicalize_name, providers[module])


def test_an_installed_project_reads_its_metadata(tmp_path, monkeypatch):
    in_tree = {extra: modules_of(extra) for extra in RUN}
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "common" / "extras.py"))
    lines = [
        "numpy>=2.0",
        "mmdet==3.3.0; extra == 'detection'",
        'torch-geometric>=2.7; python_version > "3" and extra == "graphs"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", {"tasknas": lines}.get)
    extras._requirements.cache_clear()
    try:
        assert (modules_of("detection"), modules_of("graphs"), modules_of("export")) == (("mmdet",), ("torch_geometric",), ())
    finally:
        extras._requirements.cache_clear()
        monkeypatch.undo()
    assert {extra: modules_of(extra) for extra in RUN} == in_tree


def test_what_is_missing_is_named_with_the_pip_line_in_quotes(monkeypatch):
    require("detection")
    monkeypatch.setitem(sys.modules, "mmdet", None)
    said = r"^mmdet not installed: detection needs it; run pip install 'tasknas\[detection\]'$"
    with pytest.raises(MissingPackages, match=said):
        require("detection")
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert missing("detection") == ["mmdet", "pycocotools"]
    with pytest.raises(MissingPackages, match=r"^mmdet, pycocotools not installed: detection needs them; run pip"):
        require("detection")


def test_a_missing_package_of_another_import_is_not_said_to_be_of_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), imports_of("graphs"):
        importlib.import_module("no_such_module")
    with pytest.raises(ModuleNotFoundError, match="torch_geometric"), imports_of("gan"):
        importlib.import_module("torch_geometric")
    with pytest.raises(MissingPackages, match="torch_geometric not installed: graphs needs it"), imports_of("graphs"):
        importlib.import_module("torch_geometric")


def test_a_function_named_by_its_place_says_what_it_needs_when_it_is_called(monkeypatch, tmp_path):
    (tmp_path / "graphs_like.py").write_text(
        "def late():\n    import torch_geometric\n\ndef other():\n    import no_such_module\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    monkeypatch.setattr(Deferred, "package", "graphs")
    with pytest.raises(MissingPackages, match="torch_geometric"):
        Deferred("graphs_like", "late")()
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Deferred("graphs_like", "other")()


def test_the_error_crosses_processes():
    error = extras.missing_packages("export", ["onnx"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
