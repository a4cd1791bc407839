"""The time of a network with float convolutions, in torch and in onnxruntime, over that of the same network packed."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from binary.deploy.conversion import packed
from binary.layers.convolution import BinaryConv2d
from binary.packed.operator import Kernel
from binary.packed.processor import instructions
from binary.width.model import build
from binary.width.space import length, open_resnet, with_ratios
from common.errors import UserError
from common.export import TOLERANCE, export_onnx
from common.extras import imports_of
from tests.bench.rows import Row
from tests.bench.timing import ratios

SIDE = 32
"""Of the images, in pixels."""
TIMES = {"torch": 4, "onnxruntime": 2}
"""How many times faster than each of them a packed network shall be."""
KERNELS: tuple[Kernel, ...] = ("numba", "compiled")
IMAGES = 8
"""Of which all outputs are compared: a batch is the first of them."""

Run = Callable[[Tensor], Tensor]


def bi_real_18(classes: int = 10) -> nn.Module:
    """Bi-Real Net of 18 layers for images of the size of CIFAR's."""
    space = open_resnet(classes=classes, stem="small")
    net = replace(with_ratios(space, (1,) * length(space)), shortcuts="convolutions", downsample="real", activations="sign")
    return build(net).eval()


class Fixed(nn.Module):
    """A binary convolution whose signs of weights and scales are constants: a network that is deployed computes them once."""

    def __init__(self, convolution: BinaryConv2d) -> None:
        super().__init__()
        padding = convolution.padding
        assert not isinstance(padding, str)
        made = nn.Conv2d(
            convolution.in_channels,
            convolution.out_channels,
            (convolution.kernel_size[0], convolution.kernel_size[1]),
            (convolution.stride[0], convolution.stride[1]),
            (padding[0], padding[1]),
            groups=convolution.groups,
            bias=False,
        )
        made.weight = nn.Parameter(torch.where(convolution.weight.detach() >= 0, 1.0, -1.0))
        scale = convolution.arithmetic.scales(convolution.arithmetic.seen(convolution.weight))
        self.convolution, self.scale = made, nn.Parameter(torch.tensor(1.0) if scale is None else scale.detach())

    def forward(self, x: Tensor) -> Tensor:
        """The scaled convolution."""
        return self.convolution(x) * self.scale


def fixed(network: nn.Module) -> nn.Module:
    """A copy in which every binary convolution is `Fixed`."""
    made = copy.deepcopy(network)
    for parent in list(made.modules()):
        for name, child in parent.named_children():
            if isinstance(child, BinaryConv2d):
                setattr(parent, name, Fixed(child))
    return made.eval().to(memory_format=torch.channels_last)


def in_torch(network: nn.Module) -> Run:
    """Runs a network without gradients."""
    return torch.inference_mode()(lambda x: network(x))


def in_onnxruntime(network: nn.Module, images: Tensor) -> Run:
    """Runs the network as `common.export` writes it, with one thread.

    Raises:
        UserError: the file gives other numbers than torch, or onnxruntime is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(network, (images[:1],), Path(folder, "model.onnx"))
        with imports_of("export"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(Path(folder, "model.onnx")), options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"input0": x.numpy()})[0])


def packed_network_rows(repeats: int) -> Iterator[Row]:
    """Rows for every kernel, for one image and for eight, with one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = bi_real_18()
        floats, images = fixed(network), torch.randn(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        runs: dict[str, Run] = {"torch": in_torch(floats)}
        try:
            runs["onnxruntime"] = in_onnxruntime(floats, images)
        except UserError as error:  # the other rows still count, as below
            print(error)
        for kernel in KERNELS:
            try:
                made = packed(network.to(memory_format=torch.channels_last), kernel)
            except UserError as error:  # no compiler
                print(error)
                continue
            for batch in (1, IMAGES):
                yield from network_times(runs, in_torch(made), kernel, images, batch, repeats)
    finally:
        torch.set_num_threads(before)


def network_times(runs: Mapping[str, Run], made: Run, kernel: str, images: Tensor, batch: int, repeats: int) -> Iterator[Row]:
    """How many times faster than each the packed network is.

    Args:
        runs: the network with float convolutions, by what runs it.
        made: the packed one.
        kernel: its name.
        images: outputs of all are compared.
        batch: images at once.
        repeats: pairs of timings that count.
    """
    packed_images = images.contiguous(memory_format=torch.channels_last)
    for name, run in runs.items():
        given = packed_images if name == "torch" else images.contiguous()  # each as it likes them best
        compare(name, run(given), made(packed_images))
        pair = (lambda x=given[:batch]: run(x), lambda: made(packed_images[:batch]))  # noqa: B023
        side = images.shape[-1]
        yield Row(
            what=f"Bi-Real Net 18 on {side}x{side} pixels, batch {batch}: floats in {name} / packed, kernel {kernel}",
            unit="",
            target=TIMES[name],
            least=True,
            values=ratios(*pair, repeats, warm_up=1),
            note="Processor time of whole networks, one thread, signs of the float weights computed beforehand; outputs "
            f"{'equal bit by bit' if name == 'torch' else 'within rounding'}; a processor with {instructions()}.",
        )


def compare(name: str, found: Tensor, wanted: Tensor) -> None:
    """Refuses to time what gives other numbers.

    torch gives the same bits. onnxruntime rounds otherwise; a sum that rounding takes to the other side of 0 has another sign,
    which changes the output of an image as a whole: one image of eight may differ.

    Raises:
        UserError: outputs differ.
    """
    differing = (found - wanted).abs().amax(1) > (TOLERANCE if name != "torch" else 0) * wanted.abs().max()
    if int(differing.sum()) > (0 if name == "torch" else len(wanted) // 8):
        raise UserError(f"{name}: outputs of {int(differing.sum())} of {len(wanted)} images are not those of the packed network")
