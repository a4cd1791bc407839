"""NAS-Bench-MR: codes as networks; a made-up file; the real one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from common.space import Arch, decode, size
from common.tables.nasbench_mr import FILE, TASKS, Stage, nasbench_mr, network

CODE = [8, 16, 1, 2, 24, 2, 1, 3, 32, 40, 1, 1, 2, 3, 48, 56, 64, 4, 1, 2, 3, 4, 72, 80, 88, 96, 104]
CODES = np.array([CODE, [*CODE[:-1], 8], [16, *CODE[1:-1], 56]], dtype=np.int16)


def made_up(folder: Path, **changed: object) -> Path:
    arrays = {
        "code": CODES,
        "seg": np.array([[70.0, 80.0, 1.5, 2.5], [71.0, 79.0, 1.0, 2.0], [72.0, 78.0, 0.5, 1.5]]),
        "seg__columns": np.array(["mIoU", "mAcc", "flops", "params"]),
    }
    np.savez(folder / FILE, **{**arrays, **changed})  # pyright: ignore[reportArgumentType] - numpy types keywords as one bool
    return folder


def test_a_code_is_a_network():
    made = network(CODE)
    assert made.stem == (8, 16)
    assert made.stages[0] == Stage(1, (2,), (24,))
    assert made.stages[3] == Stage(4, (1, 2, 3, 4), (72, 80, 88, 96))
    assert made.last == 104
    assert made.code == "8-16|1-2-24|2-1-3-32-40|1-1-2-3-48-56-64|4-1-2-3-4-72-80-88-96|104"
    for code in (CODE[1:], [0, *CODE[1:]]):
        with pytest.raises(UserError, match="give 27 numbers from 1"):
            network(code)


def test_rows_columns_and_features(tmp_path: Path):
    table = nasbench_mr(made_up(tmp_path))
    arch = Arch({"network": 2})
    assert size(table.space) == 3
    assert decode(table.space, arch)["network"] == network(CODES[2].tolist())
    assert table.evaluator([arch], "full")[0].values == {"valid": 72.0}
    assert table.cost(arch) == {"flops": 0.5, "params": 1.5}
    assert table.features(arch).tolist() == [1.0, *[0.0] * 25, 0.5]
    assert table.objective == table.result
    assert table.graph is None and table.canonical is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"code": CODES[[0, 1, 0]]}, "rows 0 and 2 are the same"),
        ({"seg": np.full((3, 4), np.nan)}, "row 0: mIoU is nan"),
        ({"seg__columns": np.array(["aAcc", "mAcc", "flops", "params"])}, "no column 'mIoU'"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, changed: dict[str, object], message: str):
    with pytest.raises(UserError, match=message) as error:
        nasbench_mr(made_up(tmp_path, **changed))
    assert str(tmp_path / FILE) in str(error.value)


def test_an_unknown_task_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no task '3ddet': use seg"):
        nasbench_mr(tmp_path, "3ddet")


def test_the_real_table(nasbench: Callable[[str, str], Path]):
    folder = nasbench("nasbench_mr", FILE)
    with np.load(folder / FILE) as file:
        assert all(metric in file[f"{task}__columns"] for task, metric in TASKS.items())
        assert all(len(file[task]) == 2_507 for task in TASKS)
    assert size(nasbench_mr(folder, "video_p").space) == 2_507
    seg = nasbench_mr(folder).scores["full"]["valid"]
    assert (round(float(seg.max()), 2), round(float(seg.mean()), 2)) == (79.10, 72.59)
