"""When snapshots are taken, and from when on a stop rule judges them."""

import pytest
import torch

from common.arch import labels
from common.differentiable.watch import Watch, due_at
from common.relax.monitor import RankStop, SkipStop
from common.relax.relaxation import Relaxation
from common.space import Arch
from common.train.step import Step
from tests.common.differentiable.test_deriving import edges


@pytest.mark.parametrize(("count", "steps"), [(25, 170), (3, 10), (7, 7), (9, 4), (1, 5), (50, 800)])
def test_there_are_as_many_snapshots_as_asked_for_and_the_last_is_at_the_end(count, steps):
    times = [due_at(number, count, steps) for number in range(1, min(count, steps) + 1)]
    assert times == sorted(set(times)) and times[-1] == steps and due_at(len(times) + 1, count, steps) > steps
    gaps = {after - before for before, after in zip([0, *times], times, strict=False)}
    assert max(gaps) - min(gaps) <= 1


def watched(relaxation: Relaxation, rule, steps: int, begin: int, settle=lambda step: None) -> Watch:
    """A watch after all its steps, or those before the rule ended them."""
    space = relaxation.supernet.space

    def derived() -> Arch:
        return Arch({path: int(values.argmax()) for path, values in relaxation.strengths().items()})

    watch = Watch(relaxation=relaxation, rule=rule, derived=derived, count=steps, steps=steps, begin=begin)
    for number in range(steps):
        settle(number)
        watch.after(Step(number=number), {})
        if watch.ended():
            break
    assert watch.history[-1].derived == labels(space, derived())
    return watch


def test_snapshots_before_the_architecture_learns_are_not_judged():
    """The order cannot change while nothing is learnt; skips that happen to be strongest at the start are no collapse."""
    still = edges([3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0])
    assert watched(still, RankStop(), 30, 0).made() == 11
    assert watched(still, RankStop(), 30, 15).made() == 26
    skips = edges([3.0, 2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0])
    assert watched(skips, SkipStop(within="normal"), 20, 0).made() == 1
    assert watched(skips, SkipStop(within="normal"), 20, 12).made() == 13

    def learn(number: int) -> None:
        if number == 12:
            with torch.no_grad():
                skips.logits.values["normal.a"].copy_(torch.tensor([0.0, 3.0, 0.0, 0.0]))

    never = watched(skips, SkipStop(within="normal"), 20, 12, learn)
    assert not never.ended() and never.made() == 20


def test_a_restored_watch_judges_the_same():
    still = edges([3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0])
    whole = watched(still, RankStop(), 30, 15)
    again = Watch(relaxation=still, rule=RankStop(), derived=whole.derived, count=30, steps=30, begin=15)
    again.load({}, whole.state())
    assert again.ended() and again.made() == whole.made()
