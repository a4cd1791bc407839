"""From what a differentiable search learnt to one architecture: the strongest that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from common.arch import labels
from common.engines import Gradient
from common.errors import UserError
from common.relax.budget import Budget, Guided
from common.relax.discretise import Found, discretise_within
from common.relax.relaxation import Relaxation
from common.relax.scores import OptionScores, Taboo
from common.space import Arch, decisions

NONE = "none"
"""The option that `discount` weakens."""
SKIP = "skip_connect"
"""The option that `cap` counts, and whose share tells a collapse."""


def derive_arch(
    settings: Gradient, relaxation: Relaxation, feasible: Budget | Guided | Callable[[Arch], bool] | None = None
) -> Found:
    """The strongest architecture of the options that are left, within the hard constraints if there are any; see `derived`."""
    left = {path: relaxation.live(path) for path in relaxation.paths()}
    known = {path: relaxation.decision(path).labels for path in left}
    dropped = {path: [label for i, label in enumerate(known[path]) if i not in live] for path, live in left.items()}
    strengths = discounted(relaxation, settings.discount)
    return derived(settings, relaxation.supernet.space, strengths, dropped, feasible)


def discounted(relaxation: Relaxation, number: float) -> dict[str, Tensor]:
    """What the search learnt, the strength of every option `none` divided by a number: BNAS (2002.06963, section 4.3).

    Its released parser divides the strengths of the first edge; the paper's rule is meant.
    """
    strengths = relaxation.strengths()
    if number == 1:
        return strengths
    found = {path: values.clone() for path, values in strengths.items()}  # they may be the relaxation's own
    for path, values in found.items():
        known = relaxation.decision(path).labels
        values[[i for i, label in enumerate(known) if label == NONE]] /= number
    return found


def derived(
    settings: Gradient,
    space: Any,
    strengths: OptionScores,
    dropped: Mapping[str, Iterable[str]],
    feasible: Budget | Guided | Callable[[Arch], bool] | None = None,
    most: int = 10_000,
) -> Found:
    """The strongest architecture that is allowed; with `cap`, one of few skip connections in the normal cell.

    P-DARTS (1904.12760, section 3.3.2, as released): the weakest skip connection in the cell is given up, and the cell is derived
    again, operations and edges, until no more than the cap are left. With two skips of strengths 0.6 and 0.5 and a cap of 1 the
    second goes, and what is strongest without it can have another skip, which is then weighed against the first.

    Args:
        settings: of the search: what is forbidden, the threshold and the cap.
        space: the description with open decisions.
        strengths: as for `common.relax.discretise.discretise`.
        dropped: decision -> labels of options that a search has dropped.
        feasible: the hard constraints; None for none.
        most: as for `common.relax.discretise.discretise_within`.

    Raises:
        UserError: nothing that is allowed is left, or nothing of it is feasible.
    """
    out = {path: set(names) for path, names in dropped.items()}
    within = normal_of(space)
    holds = (lambda _: True) if feasible is None else feasible
    known = decisions(space)
    while True:
        taboo = Taboo(frozenset(settings.forbidden), out)
        found = discretise_within(space, strengths, holds, taboo, settings.threshold, most)
        taken = [path for path, label in labels(space, found.arch).items() if label == SKIP and path.startswith(within)]
        if settings.cap is None or len(taken) <= settings.cap:
            return found
        weakest = min(
            taken, key=lambda path: float(strengths[path][known[path].labels.index(SKIP)]) if path in strengths else 1.0
        )
        out.setdefault(weakest, set()).add(SKIP)
        if all(taboo(weakest, label) for label in known[weakest].labels):
            raise UserError(f"search.engine.cap={settings.cap}: {weakest} has no other operation left; raise it")


def normal_of(space: Any) -> str:
    """Where skip connections are counted: under `normal`, in the cell of that name, or everywhere in a space without one."""
    return "normal" if any(path.startswith("normal.") for path in decisions(space)) else ""


def convolutions_of(space: Any) -> tuple[str, ...]:
    """The labels of options that are convolutions: those with "conv" in them."""
    return tuple({label: None for decision in decisions(space).values() for label in decision.labels if "conv" in label})
