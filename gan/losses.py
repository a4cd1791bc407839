"""What generators and discriminators minimise against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.settings import Adversarial


def discriminator_loss(kind: Adversarial, real: Tensor, fake: Tensor) -> Tensor:
    """Half the sum of what real and generated scores cost the discriminator.

    `hinge`: max(0, 1 - real) and max(0, 1 + fake) (Lim and Ye 2017); `lsgan`: squared distances to 1 and to 0 (Mao et al. 2017).
    """
    if kind == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def generator_loss(kind: Adversarial, fake: Tensor) -> Tensor:
    """What the scores of its pictures cost the generator: their negative mean, or the squared distance to 1."""
    return -fake.mean() if kind == "hinge" else (fake - 1).square().mean()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within, what `module` computes sends gradients to its inputs alone, not to its weights.

    So the losses of both players can be summed and their gradients taken at once: each player's weights get those of its own
    loss. With one Adam for both, this is one step of each of two optimisers of equal settings, both from before the step.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


class Pool(nn.Module):
    """The last generated pictures, some of which the discriminator sees again (Shrivastava et al. 2017; 50 in CycleGAN).

    They are buffers, so a checkpoint has them.

    Attributes:
        pictures: (capacity, 3, h, w).
        held: how many of them there are.
    """

    pictures: Tensor
    held: Tensor

    def __init__(self, capacity: int, size: int) -> None:
        """An empty pool of pictures of `size` pixels a side; with a capacity of 0 it gives what it is given."""
        super().__init__()
        self.register_buffer("pictures", torch.zeros(capacity, 3, size, size))
        self.register_buffer("held", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def swapped(self, fakes: Tensor) -> Tensor:
        """`fakes`, half of them exchanged for earlier ones at random once the pool is full; draws from torch's generator."""
        out = fakes.detach().clone()
        capacity = len(self.pictures)
        for i, fake in enumerate(fakes.detach()):
            if (held := int(self.held)) < capacity:
                self.pictures[held] = fake
                self.held += 1
            elif capacity and float(torch.rand(())) < 0.5:
                at = int(torch.randint(capacity, ()))
                out[i] = self.pictures[at]
                self.pictures[at] = fake
        return out
