"""A data folder without a known layout is refused before torch is imported, with the words that the reader has."""

import subprocess
import sys

import pytest

from classification.data import classification_folder
from classification.data.cifar import LAYOUTS
from classification.layout import KNOWN
from common.errors import UserError
from common.system import systems_of, task_packages
from detection.data import coco_folder
from gan.data import folder as translation_folder
from segmentation.data import folder as segmentation_folder
from superres.data import folder as superres_folder

ALL = {
    "classification": classification_folder,
    "segmentation": segmentation_folder,
    "detection": coco_folder,
    "gan": lambda path: translation_folder(path, size=24, val=None, direction="AtoB", skip_bad=False),
    "superres": lambda path: superres_folder(path, scale=2, patch=96, val=None, skip_bad=False),
}
READERS = {task: read for task, read in ALL.items() if task in task_packages()}
SCRIPT = """
import sys
from common.commands import run_commands
from common.system import systems_of
for task in sys.argv[2:]:
    systems = systems_of(task)
    for words in ([], ["--recipe", "small"]):
        try:
            run_commands("x", systems, [systems[0].methods[0].name, "--data", sys.argv[1], "--out", sys.argv[1] + "/out", *words])
        except SystemExit as stopped:
            assert stopped.code == 2, stopped.code
print([name for name in ("torch", "mmdet", "torchvision") if name in sys.modules])
"""


@pytest.mark.parametrize("there", ["nothing", "empty"])
def test_settings_refuse_a_folder_as_the_reader_does(tmp_path, there):
    path = tmp_path / there
    if there == "empty":
        path.mkdir()
    for task, read in READERS.items():
        data = systems_of(task)[0].methods[0].recipes["smoke"]().data
        with pytest.raises(UserError) as told:
            type(data)(folder=str(path)).check()
        with pytest.raises(UserError) as read_so:
            read(path)
        assert str(told.value) == str(read_so.value)
        data.check()  # the embedded data need no folder


def test_layouts_are_checked_without_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), *READERS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
    assert done.stderr.count("error: ") == 2 * len(READERS)


def test_every_distribution_of_cifar_is_named():
    assert all(layout.folder in KNOWN for layout in LAYOUTS)
