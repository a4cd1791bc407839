"""Laws 1, 3, 4 and 5 of docs/architecture.md, on every space of every system listed: one supernet each, shared by the tests."""

import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from common.cost.count import count
from common.cost.price import Price
from common.evaluate.inherited import Inherited
from common.space import Arch, decode
from common.supernet import Supernet, fair, recalibrate
from common.supernet.checking import used_parts
from common.supernet.elastic import elastic_layers
from common.supernet.recalibrate import batch_norms
from common.task import Calibration
from tests.contracts.cases import CASES, Case, equal, tensors


@pytest.fixture(scope="module", params=CASES, ids=[f"{c.task}-{c.system.name}-{c.name}" for c in CASES])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    given: Case = request.param
    yield given
    given.__dict__.pop("supernet", None)  # hundreds of megabytes for the large spaces


def test_law_1_the_extracted_network_is_the_active_path(case: Case):
    net, build = case.supernet, case.system.build
    net.module.eval()
    outputs = []
    for i, arch in enumerate(case.archs(2 if case.big else 4, "extraction")):
        inputs = case.inputs(seed=1)
        network = net.extract(arch, build)
        net.activate(arch)
        with torch.no_grad():
            outputs.append(net.module(*inputs))
            assert equal(outputs[-1], network(*inputs))
        foreign = [m for m in network.modules() if type(m).__module__.startswith("common.supernet")]
        assert not foreign
        if i == 0:
            standalone = build(decode(case.space, arch)).eval()
            with torch.no_grad():
                assert not equal(outputs[0], standalone(*inputs))  # so equality below is the weights' doing
                standalone.load_state_dict(network.state_dict(), strict=True)
                assert equal(outputs[0], standalone(*inputs))
    assert any(not equal(outputs[0], other) for other in outputs[1:])  # the paths do differ


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_law_3_a_step_changes_nothing_outside_its_path(case: Case, guarded: bool):
    """Where networks have elastic layers, the same steps without a guard change idle parts: the law can be broken."""
    net = case.supernet
    if not guarded and not list(elastic_layers(net.module)):
        return
    net.module.train()
    optimizer = torch.optim.SGD(net.module.parameters(), lr=1e-3, momentum=0.9, weight_decay=0.1)
    *before, last = [*fair(case.space, seed=0)(0), *case.archs(1, "idle")]

    def step(arch) -> None:
        net.activate(arch)
        optimizer.zero_grad(set_to_none=True)
        sum(x.square().mean() for x in tensors(net.module(*case.inputs(seed=2)))).backward()
        with net.idle_protected(optimizer) if guarded else nullcontext():
            optimizer.step()

    for arch in before:  # every option of every decision has momentum now
        step(arch)
    net.forget()
    idle = idle_parts(case, last)
    net.activate(last)
    active = {name for name, _ in net.active_parameters()}
    parameters = dict(net.module.named_parameters())
    if not idle:  # every architecture uses all of every weight: pyramids of one size
        assert active == parameters.keys()
        return
    assert not {name for name, part in idle.items() if part is None} & active

    def marks() -> dict[str, list[int]]:
        held = {name: (parameters[name], optimizer.state[parameters[name]].get("momentum_buffer")) for name in idle}
        return {name: [_idle_mark(x, idle[name]) for x in values] for name, values in held.items()}

    assert any(momentum for _, momentum in marks().values()), "nothing could move"
    untouched, moving = marks(), {name: _mark(p) for name, p in net.active_parameters()}
    step(last)
    assert (marks() == untouched) == (guarded or not any(name in active for name in idle))
    moved = [name for name, p in net.active_parameters() if _mark(p) != moving[name]]
    assert len(moved) > len(moving) // 2


def idle_parts(case: Case, arch: Arch) -> dict[str, torch.Tensor | None]:
    """Name -> the numbers of a parameter that the network of an architecture does without; None for all of them."""
    with torch.device("meta"):
        network = case.system.build(decode(case.space, arch))
    used = used_parts(case.supernet, arch, {name: parameter.shape for name, parameter in network.named_parameters()})
    return {name: ~part if part.any() else None for name, part in used.items() if not part.all()}


def _idle_mark(x: torch.Tensor | None, part: torch.Tensor | None) -> int:
    """0 for what is not there and for zeros: an optimiser begins with these."""
    if x is None:
        return 0
    held = x if part is None else x[part]
    return _mark(held) if held.any() else 0


def _mark(x: torch.Tensor) -> int:
    return zlib.crc32(x.detach().contiguous().view(-1).numpy())


class Calibrating:
    """Of a task, what the evaluator asks for: batches to calibrate on, and a figure that every weight has a part in."""

    def __init__(self, case: Case) -> None:
        self.case = case

    @property
    def calibration(self):
        return Calibration(
            batches=lambda batches, batch: [self.case.inputs(seed=10 + i) for i in range(batches)],
            forward=lambda network, batch: network(*batch),
        )

    def metrics(self, network, split, limit=None):
        assert not network.training
        with torch.no_grad():
            return {"mark": sum(float(x.double().square().sum()) for x in tensors(network(*self.case.inputs(seed=3))))}


@pytest.fixture
def normed(case: Case) -> Iterator[Supernet]:
    """The supernet of a case; one without running statistics gets a layer with some, or nothing could leak."""
    net = case.supernet
    if batch_norms(net.module):
        yield net
        return
    norm = nn.BatchNorm1d(1)

    def normalised(module: nn.Module, inputs: tuple[torch.Tensor, ...], out: Any) -> Any:
        first, *others = tensors(out)
        changed = norm(first.reshape(-1, 1)).reshape(first.shape)
        return changed if isinstance(out, torch.Tensor) else [changed, *others]

    net.module.register_module("leaky", norm)
    hook = net.module.register_forward_hook(normalised)
    yield net
    hook.remove()
    del net.module._modules["leaky"]


def test_law_4_candidates_do_not_leak(case: Case, normed: Supernet):
    net, archs = normed, case.archs(2 if case.big else 3, "leaks")
    evaluate = Inherited(task=Calibrating(case), supernet=net, calibration_batches=2, calibration_batch=2)
    statistics = {name: buffer.clone() for name, buffer in net.module.named_buffers()}
    forward = [scores.values for scores in evaluate(archs, "full")]
    backward = [scores.values for scores in evaluate(archs[::-1], "full")]
    assert forward == backward[::-1]
    assert len({values["mark"] for values in forward}) == len(archs)
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in net.module.named_buffers())
    recalibrate(net.module, [case.inputs(seed=10)], lambda network, batch: network(*batch))
    after = dict(net.module.named_buffers())
    assert any(not torch.equal(after[name], old) for name, old in statistics.items()), "no statistics could have leaked"
    for name, old in statistics.items():
        after[name].copy_(old)


def test_law_5_the_price_is_the_count(case: Case):
    inputs = tuple(x.to("meta") for x in case.inputs())
    price = Price(case.supernet.module, inputs, case.space)
    for arch in case.archs(1 if case.big else 4, "price"):
        with torch.device("meta"):
            built = count(case.system.build(decode(case.space, arch)), inputs)
        extracted = count(case.supernet.extract(arch, case.system.build), inputs)
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
        assert extracted == built
