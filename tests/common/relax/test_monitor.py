import json
import math

import pytest

from common.arch import labels
from common.errors import UserError
from common.relax.monitor import (
    Best,
    RankStop,
    SizeStop,
    SkipStop,
    Snapshot,
    best_by_size,
    best_options,
    count,
    entropy,
    share,
    stopped_after,
)
from common.space import Arch, OneOf

OPS = ("none", "skip_connect", "sep_conv_3x3", "dil_conv_3x3")


def strengths(*values: float) -> dict[str, float]:
    return dict(zip(OPS, values, strict=True))


def derived(normal: str, reduction: str = "ss") -> dict[str, str]:
    """One letter per decision: s(kip), c(onv), d(ilated conv)."""
    names = {"s": "skip_connect", "c": "sep_conv_3x3", "d": "dil_conv_3x3"}
    cells = {"normal": normal, "reduction": reduction}
    return {f"{cell}.nodes.{i}.op": names[letter] for cell, word in cells.items() for i, letter in enumerate(word)}


def history(*words: str) -> list[Snapshot]:
    return [Snapshot(strengths={}, derived=derived(word)) for word in words]


def ranked(*rows: tuple[float, ...]) -> list[Snapshot]:
    """One decision that changes and one that does not."""
    still = strengths(0.1, 0.2, 0.3, 0.4)
    return [Snapshot(strengths={"a": strengths(*row), "b": still}, derived={}) for row in rows]


def test_entropy():
    sure, even = strengths(0, 1, 0, 0), strengths(0.25, 0.25, 0.25, 0.25)
    assert entropy({"a": sure}) == entropy({"only": {"x": 1.0}})
    assert entropy({"a": sure}).nats == entropy({"a": sure}).share == 0
    assert entropy({"a": even}).nats == pytest.approx(math.log(4))
    assert entropy({"a": even}).share == pytest.approx(1)
    both = entropy({"a": sure, "b": even, "c": {"x": 0.5, "y": 0.5}})
    assert both.nats == pytest.approx((math.log(4) + math.log(2)) / 3)
    assert both.share == pytest.approx(2 / 3)


@pytest.mark.parametrize("values", [(0.5, 0.5, 0.5, 0), (1.5, -0.5, 0, 0), (math.nan, 0, 0, 1)])
def test_entropy_of_what_is_no_distribution(values):
    with pytest.raises(UserError, match=r"'a' has strengths.*add up to 1"):
        entropy({"a": strengths(*values)})
    with pytest.raises(UserError, match="no decisions"):
        entropy({})


def test_strongest_and_share():
    watched = {
        "normal.0": strengths(0.6, 0.3, 0.1, 0),
        "normal.1": strengths(0, 0.2, 0.4, 0.4),
        "reduction.0": strengths(0, 0.9, 0.1, 0),
        "normality": strengths(0, 0.9, 0.1, 0),
        "edges": {"0": 0.9, "1": 0.1},
    }
    chosen = {"normal.0": "none", "normal.1": "sep_conv_3x3", "reduction.0": "skip_connect", "normality": "skip_connect"}
    assert best_options(watched) == {**chosen, "edges": "0"}
    assert best_options({"a": {"none": 1.0}}, without=("none",)) == {}
    assert share(watched, "skip_connect") == 2 / 4  # `edges` does not offer it
    assert share(watched, "skip_connect", without=("none",)) == 3 / 4
    assert share(watched, "skip_connect", within="normal", without=("none",)) == 1 / 2
    assert share(watched, "none", within="reduction") == 0
    with pytest.raises(UserError, match=r"^no decision offers option 'skip'; watch one of none, skip_connect"):
        share(watched, "skip")
    with pytest.raises(UserError, match=r"^no decision under 'reduce' offers option"):
        share(watched, "skip_connect", within="reduce")


def test_count_reads_the_labels_of_an_architecture():
    space = {"normal": (OneOf(*OPS), OneOf(*OPS)), "reduction": (OneOf(*OPS),)}
    named = labels(space, Arch({"normal.0": 1, "normal.1": 2, "reduction.0": 1}))
    assert count(named, ("skip_connect",)) == 2
    assert count(named, ("skip_connect",), "normal") == 1
    assert count(named, ("skip_connect", "sep_conv_3x3"), "normal") == 2
    with pytest.raises(UserError, match="under 'normel'"):
        count(named, ("skip_connect",), "normel")


def test_skip_stop():
    run = history("cccc", "cscc", "cccd", "scsc", "cccc", "ssss")
    assert stopped_after(SkipStop(), run) == 4  # the reduction cell's skips do not count
    assert stopped_after(SkipStop(limit=1), run) == 2
    assert stopped_after(SkipStop(limit=3), run) == 6
    assert stopped_after(SkipStop(within=""), run) == 1
    assert stopped_after(SkipStop(option="dil_conv_3x3", limit=1), run) == 3
    assert stopped_after(SkipStop(), run[:3]) is None
    assert not SkipStop().stops([])
    assert SkipStop().stops(run[:5])  # two skips have come and gone: it has stopped


def test_rank_stop_counts_epochs_without_a_change():
    up, down = (0.0, 0.0, 0.6, 0.4), (0.0, 0.0, 0.4, 0.6)
    assert stopped_after(RankStop(epochs=3), ranked(up, down, up, up, up, up, down)) == 6
    assert stopped_after(RankStop(epochs=3), ranked(up, up, up, down, down, down)) is None
    assert stopped_after(RankStop(epochs=3), ranked(up, up, up, up)) == 4
    assert stopped_after(RankStop(epochs=1), ranked(up, down, down)) == 3
    assert stopped_after(RankStop(), ranked(down, *[up] * 30)) == 12
    assert stopped_after(RankStop(epochs=2), []) is None
    assert RankStop(epochs=1).stops(ranked(up, up, down))


def test_rank_stop_looks_at_learnable_options_only():
    rows = [(0.1, 0.5, 0.3, 0.1), (0.6, 0.1, 0.2, 0.1), (0.1, 0.7, 0.15, 0.05)]  # `none` and skips move, convs do not
    assert stopped_after(RankStop(epochs=2), ranked(*rows)) == 3
    assert stopped_after(RankStop(epochs=2, without=()), ranked(*rows)) is None
    equal = [(0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.6, 0.4), (0.0, 0.0, 0.5, 0.5)]
    assert stopped_after(RankStop(epochs=2), ranked(*equal)) == 3
    pruned = [Snapshot(strengths={"a": {"x": 0.6, "y": 0.4}}, derived={}), Snapshot(strengths={"a": {"x": 1.0}}, derived={})]
    assert stopped_after(RankStop(epochs=1), pruned) is None  # an option is gone: the order is another


def test_size_stop():
    run = history("sssc", "sccc", "cccc", "sccc", "sscc", "cccc")
    convolutions = ("sep_conv_3x3", "dil_conv_3x3")
    assert stopped_after(SizeStop(wanted=3, convolutions=convolutions), run) == 5
    assert stopped_after(SizeStop(wanted=4, convolutions=convolutions), run) == 4
    assert stopped_after(SizeStop(wanted=5, convolutions=convolutions), run) is None
    assert stopped_after(SizeStop(wanted=1, convolutions=convolutions, within="reduction"), run) is None


def test_best_by_size():
    words, scores = ("cc", "cs", "sc", "cd", "ds", "cs", "ss"), (0.5, 0.3, 0.4, 0.5, 0.4, math.nan, None)
    run = [Snapshot(strengths={}, derived=derived(word), score=score) for word, score in zip(words, scores)]

    def size(taken) -> int:
        return count(taken, ("sep_conv_3x3", "dil_conv_3x3"))

    best = best_by_size(run, size)
    assert list(best) == [1, 2]
    assert best[2] == Best(epoch=0, score=0.5, derived=derived("cc"))
    assert (best[1].epoch, best[1].score) == (2, 0.4)
    assert best_by_size(run[:2], size)[1].epoch == 1
    assert best_by_size([], size) == {}


def test_a_replayed_history_stops_at_the_same_epoch():
    run = ranked(*[(0.0, 0.1, 0.5, 0.4)] * 12)
    replayed = [Snapshot(**json.loads(json.dumps({"strengths": s.strengths, "derived": s.derived}))) for s in run]
    assert stopped_after(RankStop(), run) == stopped_after(RankStop(), replayed) == 11


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: SkipStop(limit=0), "limit is 0"),
        (lambda: RankStop(epochs=0), "epochs is 0"),
        (lambda: SizeStop(wanted=0, convolutions=()), "wanted is 0"),
    ],
)
def test_senseless_settings(make, named):
    with pytest.raises(UserError, match=named):
        make()
