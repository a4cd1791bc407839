"""A task whose training can be tuned, and what its stages need."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.arch import labels
from common.evaluate.pool import LocalPool
from common.objective import Constraint
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.space import Arch
from common.stages.context import Context
from common.stages.search import Search
from common.stages.settings import SearchSettings
from tests.common.stages.paths_toy import ToyTask


@dataclass(frozen=True, kw_only=True)
class TunedToy(ToyTask):
    """Sixteen architectures."""

    length: int = 2


@contextmanager
def opened(path: Path, task: TunedToy, *, seed: int = 0, upper: float | None = None, save_every: int = 200) -> Iterator[Context]:
    """A run of the task in a folder: a new one, or the one that is there."""
    open_folder = RunFolder.resume if path.exists() else RunFolder.create
    with open_folder(path, {"seed": seed}, task.space) as folder, LocalPool(0) as pool:
        yield Context(
            task=task,
            factory=partial(TunedToy, length=task.length, training=task.training, direction=task.direction),
            folder=folder,
            progress=Progress(quiet=True),
            pool=pool,
            seed=seed,
            device="cpu",
            constraints=[] if upper is None else [Constraint("macs", upper=upper)],
            save_every=save_every,
        )


SEARCH = Search(settings=SearchSettings())
"""The stage that `find` stands in for."""


def find(context: Context, arch: Arch) -> None:
    """As if a search had found an architecture."""
    context.folder.finish(SEARCH.name, {"arch": labels(context.task.space, arch)}, 0.0)
