"""Laws 1, 3, 4 and 5 of docs/architecture.md, on every space of every system listed: one supernet each, shared by the tests."""

import zlib
from collections.abc import Iterator

import pytest
import torch

from common.cost.count import count
from common.cost.price import Price
from common.evaluate.inherited import Inherited
from common.space import decode
from common.supernet import fair
from common.supernet.elastic import elastic_layers
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


def test_law_3_a_step_changes_nothing_outside_its_path(case: Case):
    net = case.supernet
    net.module.train()
    optimizer = torch.optim.SGD(net.module.parameters(), lr=1e-3, momentum=0.9, weight_decay=0.1)
    *before, last = [*fair(case.space, seed=0)(0), *case.archs(1, "idle")]

    def step(arch) -> None:
        net.activate(arch)
        optimizer.zero_grad(set_to_none=True)
        sum(x.square().mean() for x in tensors(net.module(*case.inputs(seed=2)))).backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    for arch in before:  # every option of every decision has momentum now
        step(arch)
    net.activate(last)
    active = {name for name, _ in net.active_parameters()}
    idle = {name: p for name, p in net.module.named_parameters() if name not in active}
    assert idle or list(elastic_layers(net.module))  # an elastic network has idle slices; tests of common.supernet see to them

    def marks() -> dict[str, list[int]]:
        held = {name: [p, *optimizer.state[p].values()] for name, p in idle.items()}
        return {name: [_mark(x) for x in values if isinstance(x, torch.Tensor)] for name, values in held.items()}

    assert not idle or any("momentum_buffer" in optimizer.state[p] for p in idle.values())
    untouched, moving = marks(), {name: _mark(p) for name, p in net.active_parameters()}
    step(last)
    assert marks() == untouched
    moved = [name for name, p in net.active_parameters() if _mark(p) != moving[name]]
    assert len(moved) > len(moving) // 2


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


def test_law_4_candidates_do_not_leak(case: Case):
    net, archs = case.supernet, case.archs(2 if case.big else 3, "leaks")
    evaluate = Inherited(task=Calibrating(case), supernet=net, calibration_batches=2, calibration_batch=2)
    statistics = {name: buffer.clone() for name, buffer in net.module.named_buffers()}
    forward = [scores.values for scores in evaluate(archs, "full")]
    backward = [scores.values for scores in evaluate(archs[::-1], "full")]
    assert forward == backward[::-1]
    assert len({values["mark"] for values in forward}) == len(archs)
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in net.module.named_buffers())


def test_law_5_the_price_is_the_count(case: Case):
    inputs = tuple(x.to("meta") for x in case.inputs())
    price = Price(case.supernet.module, inputs, case.space)
    for arch in case.archs(1 if case.big else 4, "price"):
        with torch.device("meta"):
            built = count(case.system.build(decode(case.space, arch)), inputs)
        extracted = count(case.supernet.extract(arch, case.system.build), inputs)
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
        assert extracted == built
