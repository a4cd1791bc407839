"""What a packed network takes of the time of the same network with float convolutions in torch and in onnxruntime, end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from binary.deploy.conversion import packed
from binary.packed.operator import Kernel
from binary.packed.processor import instructions
from binary.width.model import build
from binary.width.space import length, open_resnet, with_ratios
from common.errors import UserError
from common.export import export_onnx
from tests.bench.rows import Row
from tests.bench.timing import ratios

SIDE = 32
"""Of the images, in pixels."""
TIMES, RUNTIME_TIMES = 4, 2
"""How many times faster a packed network shall be than torch's and than onnxruntime's."""
AGREED = 1e-4
"""How far outputs of onnxruntime may be from torch's, but for images in which rounding turns the sign of an activation."""
KERNELS: tuple[Kernel, ...] = ("numba", "compiled")


def bi_real_18(classes: int = 10) -> nn.Module:
    """Bi-Real Net of 18 layers for images of the size of CIFAR's."""
    space = open_resnet(classes=classes, stem="small")
    net = replace(with_ratios(space, (1,) * length(space)), shortcuts="convolutions", downsample="real", activations="sign")
    return build(net).eval()


def packed_network_rows(repeats: int) -> Iterator[Row]:
    """Rows for every kernel, for one image and for eight, with one thread; the outputs are equal bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = bi_real_18().to(memory_format=torch.channels_last)
        exported = onnx_of(network)
        for kernel in KERNELS:
            try:
                made = packed(network, kernel)
            except UserError as error:  # no compiler: the other rows still count
                print(error)
                continue
            for batch in (1, 8):
                yield network_times(network, made, kernel, batch, repeats)
                yield runtime_times(exported, network, made, kernel, batch, repeats)
    finally:
        torch.set_num_threads(before)


def onnx_of(network: nn.Module, side: int = SIDE) -> Callable[[Tensor], Tensor]:
    """The network with float convolutions in onnxruntime, with one thread."""
    import onnxruntime

    with TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        export_onnx(network, (torch.randn(1, 3, side, side),), file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return lambda x: torch.from_numpy(session.run(None, {entry.name: x.numpy()})[0])


def runtime_times(
    exported: Callable[[Tensor], Tensor],
    network: nn.Module,
    made: nn.Module,
    kernel: str,
    batch: int,
    repeats: int,
    side: int = SIDE,
) -> Row:
    """How many times faster the packed network is than the same network with float convolutions in onnxruntime.

    Args:
        exported: the network in onnxruntime.
        network: in torch.
        made: the same, packed.
        kernel: its name.
        batch: images at once.
        repeats: pairs of timings that count.
        side: of the images, in pixels.
    """
    plain = torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(0))
    x = plain.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        off = (exported(plain) - network(x)).abs().amax(1)
        alike = int((off < AGREED).sum())
        assert 2 * alike > batch, f"onnxruntime and torch disagree by {off.tolist()}"
        assert torch.equal(network(x), made(x))
        values = ratios(lambda: exported(plain), lambda: made(x), repeats, warm_up=1)
    return Row(
        what=f"Bi-Real Net 18 on {side}x{side} pixels, batch {batch}: floats in onnxruntime / packed, kernel {kernel}",
        unit="",
        target=RUNTIME_TIMES,
        least=True,
        values=values,
        note=f"Processor time of whole networks, one thread; outputs of {alike} of {batch} images agree to {AGREED:g}; in others "
        "rounding turned a sign.",
    )


def network_times(network: nn.Module, made: nn.Module, kernel: str, batch: int, repeats: int, side: int = SIDE) -> Row:
    """How many times faster the packed network is.

    Args:
        network: with float convolutions.
        made: the same, packed.
        kernel: its name.
        batch: images at once.
        repeats: pairs of timings that count.
        side: of the images, in pixels.
    """
    x = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(module: nn.Module) -> torch.Tensor:
        return module(x)

    assert torch.equal(run(network), run(made))
    return Row(
        what=f"Bi-Real Net 18 on {side}x{side} pixels, batch {batch}: floats / packed, kernel {kernel}",
        unit="",
        target=TIMES,
        least=True,
        values=ratios(lambda: run(network), lambda: run(made), repeats, warm_up=1),
        note=f"Processor time of whole networks, channels_last, one thread, equal outputs; a processor with {instructions()}.",
    )
