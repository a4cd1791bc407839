"""What the tests of docs/mmdetection.md and docs/mmsegmentation.md share: the page's files in a folder, and mmengine's Runner."""

from tests.docs.commands import files_of


def write_files(page, folder):
    """Writes the files of a page; one epoch takes the place of twelve."""
    for name, code in files_of(page).items():
        (folder / name).write_text(code.replace("max_epochs=12", "max_epochs=1").replace("epoch_12", "epoch_1"))


def runner_of(place, name, **changes):
    """A Runner of the configuration of a name in a folder, with changes of it."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    config = Config.fromfile(place / f"{name}.py")
    config.merge_from_dict({"log_level": "ERROR", "experiment_name": f"{place} {name} {len(changes)}", **changes})
    return Runner.from_cfg(config)
