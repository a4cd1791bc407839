"""Tables by name."""

from pathlib import Path

import pytest

from common.errors import UserError
from common.tables.columns import MissingTable
from common.tables.load import TABLES, data_folder, load


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path):
    with pytest.raises(
        UserError, match=r"no table 'nasbench301': use generated, nasbench201-cifar10, .*nasbench-graph-cora, .*nasbench-mr-seg"
    ):
        load("nasbench301", tmp_path)


def test_a_missing_file_is_named(tmp_path: Path):
    for name, file in (
        ("nasbench201-imagenet16-120", "nasbench201/nasbench201.npz"),
        ("nasbench-graph-arxiv", "nasbench_graph/nasbench_graph.npz"),
        ("nasbench-mr-cls_10c", "nasbench_mr/nasbench_mr.npz"),
    ):
        with pytest.raises(UserError) as error:
            load(name, tmp_path)
        assert f"{tmp_path}/nasbench/{file} does not exist" in str(error.value)


def test_the_generated_table_needs_no_file(tmp_path: Path):
    assert load("generated", tmp_path / "nothing").name == "generated"


def test_the_data_folder_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TASKNAS_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("TASKNAS_DATA")
    assert data_folder().parts[-2:] == ("shared", "data")


@pytest.mark.parametrize("name", ["generated", "nasbench201-cifar100", "nasbench-graph-proteins", "nasbench-mr-seg_4x"])
def test_tables_have_the_name_they_are_loaded_by(name: str):
    assert name in TABLES
    try:
        table = load(name, data_folder())
    except MissingTable as error:
        assert name != "generated", "it needs no data"
        pytest.skip(str(error))
    assert table.name == name
    assert all(table.objective.name in columns for columns in table.scores.values())
    assert list(table.epochs) == list(table.scores)
