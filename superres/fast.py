"""Ways to make the upscaling of pictures faster: memory that is kept, and compiled networks."""

from __future__ import annotations

import copy
import ctypes
import os
import shutil
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from superres.layers import Enlarged

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Numbers of glibc's options, from its malloc.h."""
COMPILERS = ("g++", "clang++", "c++", "cl")
"""Commands of C++ compilers that are looked for where the environment variable CXX names none."""
EXAMPLE = (1, 3, 96, 120)
"""Shape of the picture that a network is compiled with: sides that differ are taken for any sides."""
LEAST_PIXELS = 96 * 96
"""Pixels of the smallest picture that the compiled network is given. Torch chooses its convolutions by the number of values, and
compiles a network again for pictures on the other side of its limit (20,480 values)."""


def keep_memory() -> bool:
    """Makes this process keep the memory of tensors that are freed, for the next ones, on Linux with glibc.

    By default every map of more than some megabytes is given back to the system and asked for again, and the system fills
    it with zeros each time: a fifth of the time of a network of eight channels. The process stays as large as it once was.

    Returns:
        Whether the C library took the options.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library or system
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def check_compiler() -> None:
    """Refuses where `compiled` cannot work.

    Raises:
        UserError: there is no C++ compiler.
    """
    named = os.environ.get("CXX")
    if not any(shutil.which(command) for command in ([named] if named else COMPILERS)):
        missing = f"CXX names {named}, which is no command here" if named else f"none of {', '.join(COMPILERS)} is here"
        raise UserError(f"--compile needs a C++ compiler, and {missing}; install one, or leave --compile out")


class Compiled(nn.Module):
    """A compiled network that is given the pictures of a batch in turn; small ones are given to the plain network."""

    def __init__(self, plain: nn.Module, network: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.plain = plain
        self.network = network

    def forward(self, low: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 H W"]:
        """What the network makes of them."""
        if low.shape[2] * low.shape[3] < LEAST_PIXELS:
            return self.plain(low)
        made = [self.network(one) for one in low.split(1)]
        return made[0] if len(made) == 1 else torch.cat(made)


@torch.library.custom_op("superres::enlarged", mutates_args=())
def _enlarged(x: Tensor, scale: int, mode: str) -> Tensor:
    return F.interpolate(
        x if _side_by_side(x, mode) else x.contiguous(), size=(scale * x.shape[2], scale * x.shape[3]), mode=mode
    )


@_enlarged.register_fake
def _(x: Tensor, scale: int, mode: str) -> Tensor:
    n, c, h, w = x.shape
    layout = torch.channels_last if _side_by_side(x, mode) else torch.contiguous_format
    return x.new_empty(n, c, scale * h, scale * w).contiguous(memory_format=layout)


def _side_by_side(x: Tensor, mode: str) -> bool:
    """Whether the channels of what is made of `x` lie beside each other: bicubic interpolation takes longer so."""
    return mode != "bicubic" and x.is_contiguous(memory_format=torch.channels_last)


class _Apart(nn.Module):
    """Interpolation that the compiler leaves as it is: in one loop with its neighbours it takes twice as long."""

    def __init__(self, enlarged: Enlarged) -> None:
        super().__init__()
        self.scale, self.mode = enlarged.scale, enlarged.mode

    def forward(self, x: Tensor) -> Tensor:
        return _enlarged(x, self.scale, self.mode)


@torch.inference_mode()
def compiled(network: nn.Module) -> nn.Module:
    """The network compiled by torch's inductor for pictures of any size, with its weights as they are now.

    Sums, ReLU and joins become parts of few loops and of the convolutions. The results differ by the rounding of float32.
    Compiling takes about half a minute, and a C++ compiler; see `check_compiler`.

    Args:
        network: in eval mode.

    Raises:
        UserError: torch cannot compile it here.
    """
    from torch._dynamo.exc import TorchDynamoException  # a second, which other commands do not need
    from torch._inductor import config

    copied = copy.deepcopy(network)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Enlarged):
                setattr(module, name, _Apart(child))
    made = Compiled(network, torch.compile(copied, dynamic=True))
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    try:
        with config.patch(freezing=True):  # as an option of torch.compile it leaves ReLU and sums out of the convolutions
            made(torch.zeros(EXAMPLE, device=device))
    except TorchDynamoException as error:
        raise UserError(f"--compile: torch cannot compile here ({str(error).splitlines()[0]}); leave --compile out") from error
    return made.eval()
