"""The latency table with a clock of our own: nothing here is timed."""

import json
import math
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from common.cost import latency, measuring
from common.cost.latency import Latency
from common.cost.measuring import build_table, errors
from common.cost.table import Errors, LatencyTable, spearman
from common.errors import UserError
from common.space import Arch, OneOf, Where, decisions, decode, enumerate_all, space_fingerprint
from common.supernet import Supernet, choose, conv2d, opened
from tests.common.cost.chains import build, chain_space

IMAGE = (torch.zeros(1, 3, 8, 8),)
Timed = list[tuple[nn.Module, list[tuple[int, ...]]]]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    """A clock that takes a millisecond for each parameter; the modules it has timed, each with the shapes of its inputs."""
    seen: Timed = []

    def measure(
        module: nn.Module,
        inputs: Sequence[Tensor],
        *,
        named: Mapping[str, Any] | None = None,
        repeats: int,
        device: torch.device | str = "cpu",
    ) -> Latency:
        assert repeats == 2 and device == "cpu"
        shapes = [tuple(x.shape) if isinstance(x, Tensor) else () for x in inputs]
        assert bool(named) == isinstance(module, Shifted), "its keyword arguments are a part of a call"
        seen.append((module, shapes))
        return Latency(median_ms=float(sum(p.numel() for p in module.parameters())), iqr_ms=0.0, conditions={})

    monkeypatch.setattr(measuring, "measure", measure)
    return seen


def table_of(space: Any, make: Callable[[Any], nn.Module], lines: list[str] | None = None) -> LatencyTable:
    observe = (lambda line: None) if lines is None else lines.append
    return build_table(Supernet(make(opened(space)), space), IMAGE, make, repeats=2, observe=observe)


def conv(kernel: int) -> nn.Module:
    return nn.Conv2d(4, 4, kernel, padding=kernel // 2, bias=False)


def test_prediction_is_the_base_and_what_each_option_adds():
    made = LatencyTable(space="x", base_ms=10.0, rows={"a": [0.0, 2.5], "b": [0.0, -4.0, 1.0]}, labels={}, conditions={})
    assert [made.predict(Arch(arch)) for arch in ({}, {"a": 1}, {"a": 1, "b": 1}, {"b": 2})] == [10.0, 12.5, 8.5, 11.0]
    with pytest.raises(UserError, match="no decision 'c'; build a table for this space"):
        made.predict({"a": 0, "c": 0})


def test_a_decision_of_one_option_has_one_row_of_no_difference(timed):
    assert table_of({"kernel": OneOf(3)}, lambda net: nn.Sequential(nn.Conv2d(3, 4, 1), choose(net["kernel"], conv))).rows == {
        "kernel": [0.0]
    }


def test_an_option_is_timed_alone_on_what_reaches_it_and_its_decision_by_the_difference_to_the_first(timed):
    def make(space: Any) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 1, 2, bias=False), choose(space["kernel"], conv), nn.Flatten())

    lines: list[str] = []
    made = table_of({"kernel": OneOf(3, 1, 5)}, make, lines)
    assert made.rows == {"kernel": [0.0, 16.0 - 144.0, 400.0 - 144.0]} and made.base_ms == 12 + 144
    *alone, (whole, shapes) = timed
    assert [(type(module), seen) for module, seen in alone] == [(nn.Conv2d, [(1, 4, 4, 4)])] * 3
    assert isinstance(whole, nn.Sequential) and shapes == [(1, 3, 8, 8)]
    assert made.labels == {"kernel": ["3", "1", "5"]} and made.space == space_fingerprint({"kernel": OneOf(3, 1, 5)})
    assert lines == ["kernel: 3 144.000 ms, 1 16.000 ms, 5 400.000 ms"]
    assert (made.conditions["repeats"], made.conditions["batch"]) == (2, 1)


def test_options_of_unlike_shapes_widths_and_kernels_are_timed_by_the_whole_network(timed):
    def make(space: Any) -> nn.Module:
        pool = choose(space["pool"], lambda n: nn.Sequential(nn.AvgPool2d(n), nn.Conv2d(4, 4, n, n, bias=False)))
        narrow = conv2d(4, space["width"], 1, bias=False), conv2d(space["width"], 4, 1, bias=False)
        both = choose(space["kernel"], conv), conv2d(4, 4, space["kernel"], bias=False)  # a choice and an elastic layer
        return nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), pool, *narrow, *both)

    made = table_of({"pool": OneOf(1, 2), "width": OneOf(4, 6), "kernel": OneOf(1, 3)}, make)
    assert made.rows == {"pool": [0.0, 48.0], "width": [0.0, 16.0], "kernel": [0.0, 256.0]}
    assert made.base_ms == 12 + 16 + 32 + 32
    assert [shapes for _, shapes in timed] == [[(1, 3, 8, 8)]] * 7, "nothing but the image"


def test_options_of_two_widths_that_meet_are_timed_together(timed):
    """Rows alone are wrong where both widths are open: their layer has their product."""
    space = {"a": OneOf(2, 3, 5), "b": OneOf(1, 4)}

    def make(net: Any) -> nn.Module:
        return nn.Sequential(conv2d(3, net["a"], 1, bias=False), conv2d(net["a"], net["b"], 1, bias=False))

    lines: list[str] = []
    supernet = Supernet(make(opened(space)), space)
    made = build_table(supernet, IMAGE, make, repeats=2, observe=lines.append, pairs=[("a", "b")])
    assert made.rows == {"a": [0.0, 4.0, 12.0], "b": [0.0, 6.0]}
    assert made.pairs == {"a": {"b": [[0.0, 0.0], [0.0, 3.0], [0.0, 9.0]]}} and lines[-1] == "a with b: +0.000 to +9.000 ms"
    for arch in enumerate_all(space):
        assert made.predict(arch) == sum(p.numel() for p in make(decode(space, arch)).parameters())
    assert table_of(space, make).predict(Arch({"a": 2, "b": 1})) < 35 == made.predict(Arch({"a": 2, "b": 1}))


@pytest.mark.parametrize("pairs", [{"a": {"c": [[0.0] * 2] * 2}}, {"a": {"b": [[0.0] * 2]}}, {"a": {"b": [[0.0, math.inf]] * 2}}])
def test_a_file_without_a_time_for_every_pair_is_refused(tmp_path, pairs):
    space = {"a": OneOf(1, 2), "b": OneOf(1, 2)}
    rows = {"a": [0.0, 1.0], "b": [0.0, 1.0]}
    made = LatencyTable(space=space_fingerprint(space), base_ms=1.0, rows=rows, labels={}, conditions={}, pairs=pairs)
    (tmp_path / "t.json").write_text(made.text())
    with pytest.raises(UserError, match=r"t\.json: (does not have a time for every pair|is not a latency table)"):
        LatencyTable.load(tmp_path / "t.json", space)


def test_a_decision_read_in_two_places_is_timed_in_both_and_one_inside_an_option_under_that_option(timed):
    def block(kind: Any) -> nn.Module:
        return nn.Identity() if kind is None else choose(kind["kernel"], conv)

    def make(space: Any) -> nn.Module:
        first, second = choose(space["block"], block), choose(space["twice"], conv)
        return nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), first, second, choose(space["twice"], conv))

    space = {"block": OneOf(None, {"kernel": OneOf(3, 5)}), "twice": OneOf(1, 3)}
    made = table_of(space, make)
    inner = next(path for path in decisions(space) if path.endswith(".kernel"))
    assert made.rows == {"block": [0.0, 144.0], inner: [0.0, 256.0], "twice": [0.0, 256.0]}
    for arch in enumerate_all(space):
        assert made.predict(arch) == sum(p.numel() for p in make(decode(space, arch)).parameters())


def test_a_rule_that_forbids_options_on_their_own(timed):
    space = Where((OneOf(1, 3), OneOf(1, 3)), lambda kernels: kernels[0] == kernels[1], "equal kernels")

    def make(kernels: Any) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 1), *(choose(kernel, conv) for kernel in kernels))

    with pytest.raises(UserError, match="a rule of this space forbids options on their own"):
        table_of(space, make)


def test_errors_are_those_of_the_table_on_random_architectures(timed):
    space = chain_space(3)
    right, supernet = table_of(space, build), Supernet(build(opened(space)), space)
    timed.clear()
    exact = errors(right, supernet, IMAGE, build, n=8, repeats=2)
    assert exact.n == len(timed) == 8 and exact.median_percent == pytest.approx(0) and exact.spearman == pytest.approx(1)
    rows = {path: [-2 * more for more in row] for path, row in right.rows.items()}
    wrong = LatencyTable(space=right.space, base_ms=2 * right.base_ms, rows=rows, labels={}, conditions={})
    doubled = LatencyTable(
        space=right.space,
        base_ms=2 * right.base_ms,
        rows={path: [2 * more for more in row] for path, row in right.rows.items()},
        labels={},
        conditions={},
    )
    assert errors(doubled, supernet, IMAGE, build, n=8, repeats=2).median_percent == pytest.approx(100)
    assert errors(wrong, supernet, IMAGE, build, n=8, repeats=2).spearman == pytest.approx(-1)
    assert errors(wrong, supernet, IMAGE, build, n=5, seed=1, repeats=2) != errors(wrong, supernet, IMAGE, build, n=5, repeats=2)


class Ends:
    """What an operation on a graph is given besides tensors; nobody but the operation knows what is in it."""

    def __init__(self, first: int) -> None:
        self.first = first


class Shifted(nn.Module):
    """An operation with an argument of its own kind and one that is named."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = conv(kernel)

    def forward(self, x: Tensor, ends: Ends, *, by: tuple[Tensor, int]) -> Tensor:
        return self.conv(x) + by[0] * by[1] + ends.first


class Twice(nn.Module):
    """Calls one choice twice, as recurrent networks do."""

    def __init__(self, kernel: Any) -> None:
        super().__init__()
        self.op = choose(kernel, Shifted)

    def forward(self, x: Tensor) -> Tensor:
        x, ends = x.repeat(1, 2, 1, 1)[:, :4], Ends(1)
        return self.op(self.op(x, ends, by=(x, 2)), ends, by=(x, 3))


def test_every_call_of_an_option_is_timed_with_all_its_arguments(timed):
    made = table_of({"kernel": OneOf(1, 3)}, lambda space: Twice(space["kernel"]))
    assert made.rows == {"kernel": [0.0, 2 * (144.0 - 16.0)]}
    assert [shapes for _, shapes in timed[:4]] == [[(1, 4, 8, 8), ()]] * 4


def test_arguments_of_any_kind_are_handed_to_the_clocks_network():
    pair, calls = namedtuple("pair", "x n"), []

    class Seen(nn.Module):
        def forward(self, *args: Any, **named: Any) -> None:
            calls.append((args, named))

    x, ends = torch.zeros(2), Ends(1)
    found = latency.measure(Seen(), (ends, [x, (x, 1)], pair(x, 3)), named={"by": {"x": x}}, repeats=2, warmup=0)
    (args, named), again = calls
    assert args[0] is ends and args[1][1][1] == 1 and type(args[2]) is pair and named["by"]["x"] is x and len(again) == 2
    assert found.conditions["batch"] == 2
    assert "batch" not in latency.measure(Seen(), (ends,), repeats=2, warmup=0).conditions


def test_a_network_that_leaves_a_module_out_is_timed_as_a_whole(timed):
    """As DCNAS drops cells that nothing reads: under option 3 there is no choice of `unread`."""

    class Net(nn.Module):
        def __init__(self, space: Any) -> None:
            super().__init__()
            self.first = choose(space["read"], lambda k: nn.Conv2d(3, 4, k, padding=k // 2, bias=False))
            if not (isinstance(space["read"], int) and space["read"] == 3):
                self.unread = choose(space["unread"], conv)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x)

    made = table_of({"read": OneOf(3, 1), "unread": OneOf(1, 5)}, Net)
    assert made.rows == {"read": [0.0, 12.0 - 108.0], "unread": [0.0, 0.0]}


@pytest.mark.parametrize(
    ("percent", "rank", "faults"),
    [
        (50.0, 0.5, []),
        (50.1, 0.5, ["an error of 50.1 % (at most 50 %)"]),
        (1.0, 0.49, ["a rank correlation of 0.49 (at least 0.5)"]),
        (905.0, -0.5, ["an error of 905.0 % (at most 50 %)", "a rank correlation of -0.50 (at least 0.5)"]),
        (math.nan, math.nan, ["an error of nan % (at most 50 %)", "a rank correlation of nan (at least 0.5)"]),
    ],
)
def test_a_bad_check_speaks_against_a_table(percent, rank, faults):
    assert Errors(n=10, median_percent=percent, spearman=rank).faults() == faults


def test_spearman_is_scipys():
    assert [spearman([1, 2], other) for other in ([3, 4], [4, 3], [3, 3])] == pytest.approx([1, -1, 0])
    rng = Random(0)
    for _ in range(20):
        a, b = ([float(rng.randrange(6)) for _ in range(9)] for _ in range(2))
        expected: Any = stats.spearmanr(a, b)
        assert spearman(a, b) == pytest.approx(expected.statistic)


def test_a_table_comes_back_from_its_file_for_its_space_alone(tmp_path: Path):
    space, file = (OneOf(1, 3),), tmp_path / "table.json"
    made = LatencyTable(
        space=space_fingerprint(space), base_ms=0.1, rows={"0": [0.0, -0.25]}, labels={"0": ["1", "3"]}, conditions={"batch": 1}
    )
    file.write_text(made.text())
    assert LatencyTable.load(file, space) == made and json.loads(file.read_text())["rows"] == {"0": [0.0, -0.25]}
    with pytest.raises(UserError, match="was measured for another space; build a latency table for this one"):
        LatencyTable.load(file, (OneOf(1, 5),))
    with pytest.raises(UserError, match=r"cannot be read .*; build the latency table first"):
        LatencyTable.load(tmp_path / "missing.json", space)
    for text in ("{", '{"space": "x"}', "[1]"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"is not a latency table.*; build it again"):
            LatencyTable.load(file, space)
