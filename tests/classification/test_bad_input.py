"""Bad input from the command line: one line with the value, the rule and the remedy; exit status 2; no folder is left."""

import numpy as np
import pytest
from PIL import Image

from tests.classification.micro import SETTINGS, call, words
from tests.common.refusing import refused


@pytest.fixture
def refuse(capsys, tmp_path):
    """Runs a micro search that must be refused; gives the message."""

    def refuse(*more: str, settings: tuple[str, ...] = ()) -> str:
        error = refused(call, words(tmp_path / "run", *more, settings=[*SETTINGS, *settings]), (), capsys)
        assert not (tmp_path / "run").exists()
        return error

    return refuse


@pytest.mark.parametrize(
    ("more", "setting", "parts"),
    [
        (("--recipe", "huge"), "", ("recipe 'huge' does not exist", "smoke, small, paper")),
        (("--budget", "flops=1e6"), "", ("budget 'flops' is no cost of a classifier", "params, macs")),
        (("--budget", "macs=10"), "", ("budget macs=10 is impossible", "raise the budget")),
        (("--budget", "macs=x"), "", ("budget 'macs=x'", "write metric=number")),
        ((), "weights.batch=700", ("weights.batch=700", "train/weights has 539 images", "weights.batch=539")),
        ((), "train.batch=2000", ("train.batch=2000", "has 1078 images")),
        ((), "network.auxiliary=0.4", ("network.auxiliary=0.4", "these have 8", "network.auxiliary=0")),
        ((), "data.size=9", ("size=9", "multiple of 4")),
        ((), "space.partial=3", ("width 8 is no multiple of 6",)),
        ((), "network.drop_path=1.0", ("network.drop_path=1.0", "below 1")),
        ((), "train.steps=0", ("train.steps=0", "give 1 or more")),
        ((), "method=nas", ("method 'nas' does not exist", "darts, darts2, snas, pc-darts, gdas, p-darts, gold-nas, darts-plus")),
        (
            (),
            "weights.ema=0.9",
            (
                "weights: ema=0.9: an architecture learns from the weights of every step",
                "give null",
            ),
        ),
        (
            (),
            'search.engine.forbidden=["nothing"]',
            ("search.engine.forbidden: 'nothing' is no option", "skip_connect"),
        ),
        (("--data", "no-such-folder"), "", ("no-such-folder is not a folder",)),
    ],
)
def test_settings_that_do_not_fit(refuse, more, setting, parts):
    error = refuse(*more, settings=(setting,) if setting else ())
    assert all(part in error for part in parts), error


def folder_of(path, classes: dict[str, dict[str, int]]):
    """An image folder: split -> class -> number of images."""
    rng = np.random.default_rng(0)
    for split, counts in classes.items():
        for name, count in counts.items():
            (path / split / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path / split / name / f"{i}.png")
    return str(path)


@pytest.mark.parametrize(
    ("classes", "parts"),
    [
        ({"train": {"a": 3, "b": 0}, "val": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}, ("'b'", "cannot be learnt")),
        (
            {"train": {"a": 3, "b": 1}, "val": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}},
            ("class 'b' has 1 image(s)", "need one each"),
        ),
        ({"train": {"a": 8}, "val": {"a": 1}, "test": {"a": 1}}, ("1 class(es)", "at least two")),
        ({"train": {"a": 3, "b": 3}, "val": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}, ("train.batch=8: train has 6 images",)),
    ],
)
def test_data_that_cannot_be_searched_on(refuse, tmp_path, classes, parts):
    small = ("train.batch=4", "weights.batch=1") if "batch" not in parts[0] else ()
    error = refuse("--data", folder_of(tmp_path / "data", classes), settings=small)
    assert all(part in error for part in parts), error


def test_an_unknown_method_is_no_command(capsys):
    with pytest.raises(SystemExit) as stop:
        call(["nasnet"])
    assert stop.value.code == 2 and "Traceback" not in capsys.readouterr().err
