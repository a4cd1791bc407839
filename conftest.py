"""Before anything is imported: shapes in annotations are checked in every test, and no two processes write yapf's grammar."""

import gc
import importlib
import importlib.util
import os

from tests.shapecheck import install

# What is imported and collected lives to the end: to look for garbage among it takes a quarter of the time. The hook of
# tests/conftest.py that ends the collection has it looked for again, in processes that collect.
if "PYTEST_XDIST_WORKER" in os.environ:
    gc.disable()

# yapf, which mmengine imports, writes its grammar to a file at the first import after an installation. Test processes that
# do so at once read half a file; so the one that starts them goes first.
if "PYTEST_XDIST_WORKER" not in os.environ and importlib.util.find_spec("yapf"):
    importlib.import_module("yapf")

install("common", "detection", "segmentation", "graphs", "gan", "superres", "binary", "classification")
