"""Two supernets of one space that are always set to the same architecture: the child and the parent of CP-NAS (2005.00057)."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn


class Outputs(NamedTuple):
    """What both networks of a pair give for the same inputs."""

    child: Any
    parent: Any


class Paired(nn.Module):
    """A child and a parent with weights of their own, built from one open description, so that both run the same sub-network.

    In training it gives the outputs of both as `Outputs`, for a loss of each and, if wanted, one between them; in eval mode those
    of the child alone, which is the network that is searched. One open description means one call of `opened`: two calls make
    decisions of their own, which `Supernet` refuses.

    Example:
        >>> from common.space import OneOf
        >>> from common.supernet import Supernet, choose, opened
        >>> space = OneOf(1, 2)
        >>> def build(kind, bias):
        ...     return choose(kind, lambda _: nn.Linear(4, 4, bias=bias))
        >>> kind = opened(space, "kind")
        >>> pair = Supernet(Paired(child=build(kind, False), parent=build(kind, True)), {"kind": space})
        >>> pair.relaxable
        ('kind',)
    """

    def __init__(self, *, child: nn.Module, parent: nn.Module) -> None:
        """Keeps both.

        Args:
            child: the network that is searched, a binary one say.
            parent: the network beside it, with real weights say.
        """
        super().__init__()
        self.child = child
        self.parent = parent

    def forward(self, *inputs: Any) -> Any:
        """The outputs of both networks in training, those of the child in eval mode."""
        if not self.training:
            return self.child(*inputs)
        return Outputs(self.child(*inputs), self.parent(*inputs))
