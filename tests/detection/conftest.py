import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_log_files_left_open() -> Iterator[None]:
    """A run of mmengine's Runner leaves a logger that goes on writing into that run's file, from every later test."""
    yield
    logging = sys.modules.get("mmengine.logging")
    if logging is None:
        return
    for logger in logging.MMLogger._instance_dict.values():
        for handler in [h for h in logger.handlers if hasattr(h, "baseFilename")]:
            logger.removeHandler(handler)
            handler.close()
