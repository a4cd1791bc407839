"""Which data a run was started on: by their content, wherever they lie now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError

PLACE = ("folder", "classification")
"""Settings of data that say where files lie."""


def digest_of(config: Mapping[str, Any]) -> str | None:
    """The digest of a run's data as its config has it; None in runs of earlier versions, and where data have none."""
    data = config.get("data")
    found = data.get("digest") if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else None


def same_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Both configs without what says where data lie and what is in them, if both have a digest; `check_data` compares it."""
    if digest_of(old) is None or digest_of(new) is None:
        return old, new
    return _elsewhere(old), _elsewhere(new)


def check_data(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> None:
    """Refuses to go on with a run on other data than it was started on.

    Args:
        old: config of the run.
        new: config now.
        path: the run folder.

    Raises:
        UserError: the digests differ.
    """
    then, now = digest_of(old), digest_of(new)
    if then is not None and now is not None and then != now:
        raise UserError(
            f"{path} was started on other data: {_name(old)} had the digest {then}, {_name(new)} has {now}; restore the files, "
            "give the data of the run, or another --out"
        )


def _elsewhere(config: Mapping[str, Any]) -> dict[str, Any]:
    settings = config.get("settings")
    if not isinstance(settings, Mapping) or not isinstance(settings.get("data"), Mapping):
        return {key: value for key, value in config.items() if key != "data"}
    # a place stays apart from none: embedded data and a folder are not the same
    data = {key: value is not None if key in PLACE else value for key, value in settings["data"].items()}
    return {key: value for key, value in config.items() if key != "data"} | {"settings": {**settings, "data": data}}


def _name(config: Mapping[str, Any]) -> str:
    return str(config["data"].get("name"))
