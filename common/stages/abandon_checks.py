"""What a search that abandons options asks of its space, its steps and its network, before work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.engines.dropping import AbandonSettings
from common.errors import UserError
from common.space import OneOf, decisions

if TYPE_CHECKING:
    from common.system_task import SystemTask


def check_abandon(settings: AbandonSettings, task: SystemTask, steps: int) -> None:
    """Refuses decisions of different sizes, too few steps, and a parent's factor without a parent.

    Args:
        settings: of the search.
        task: its task.
        steps: steps of the weights, in all.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    sizes = {path: len(d) for path, d in decisions(task.space).items() if isinstance(d, OneOf) and len(d) > 1}
    (first, options), *others = sizes.items()
    if odd := next(((path, n) for path, n in others if n != options), None):
        raise UserError(
            f"search.engine.abandon: decision {first!r} has {options} options and {odd[0]!r} has {odd[1]}; every decision loses "
            "one option in a round, so give a space whose decisions have equally many, or search.engine.abandon=null"
        )
    if steps < (samples := settings.samples(options)):
        raise UserError(
            f"search.engine.abandon.passes={settings.passes}: with {options} options of each decision {samples} sub-networks are "
            f"trained, passes * (2 + ... + {options}), and the search has {steps} steps; give {samples} steps or more, or fewer "
            "passes"
        )
    if settings.parent is not None:
        _check_parent(settings.parent, task)


def _check_parent(parent: float, task: SystemTask) -> None:
    """Builds the supernet, without its weights, and asks whether it is a pair."""
    import torch

    from common.paired import Paired

    with torch.device("meta"):
        network = task.supernet(0)
    if not isinstance(network, Paired):
        raise UserError(
            f"search.engine.abandon.parent={parent:g}: the supernet of this system is no pair of a child and a parent "
            "(common.paired); set search.engine.abandon.parent=null"
        )
