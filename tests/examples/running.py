"""Runs an example as its user does, in this process: imports of torch and of what else it needs are shared."""

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(name: str, *words: str) -> Mapping[str, Any]:
    """Runs `python examples/NAME.py WORDS`; gives what the module defines."""
    with patch("sys.argv", [f"examples/{name}.py", *words]):
        return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


def example(name: str) -> Mapping[str, Any]:
    """What an example defines, without running it."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=f"examples.{name}")


def refused(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> str:
    """The line that an example ends with, with status 2."""
    with pytest.raises(SystemExit) as ended:
        run_example(name, *words)
    assert ended.value.code == 2
    return capsys.readouterr().err
