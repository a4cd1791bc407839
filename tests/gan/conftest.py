"""One micro run of each kind, made once for the tests that look at it."""

from pathlib import Path

import pytest

from tests.gan.micro import UNPAIRED, call, words


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A run on pairs, by the full pipeline, that was never disturbed."""
    path = tmp_path_factory.mktemp("gan") / "paired"
    call(words(path))
    return path


@pytest.fixture(scope="session")
def unpaired(tmp_path_factory) -> Path:
    """A run without pairs, by the fast pipeline, that was never disturbed."""
    path = tmp_path_factory.mktemp("gan") / "unpaired"
    call(words(path, settings=UNPAIRED))
    return path
