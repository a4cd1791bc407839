import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from common.train.schedules import constant, cosine, exponential, linear, one_cycle, step_decay

ALL = [
    constant(),
    constant(warmup=0.1),
    cosine(warmup=0.05, floor=0.01),
    linear(warmup=0.2),
    linear(warmup=0.1, hold=0.5),
    step_decay(at=(0.5, 0.9)),
    one_cycle(),
    cosine(warmup=0.1, warm=0.2, floor=0.05, restarts=3, growth=1.5),
    exponential(factor=0.9, every=0.03, warmup=0.1),
]


@given(st.floats(0, 1, exclude_max=True))
def test_multipliers_are_positive_and_at_most_one(fraction):
    assert all(0 < schedule(fraction) <= 1 + 1e-12 for schedule in ALL)


def test_cosine_equals_torch():
    steps = 20
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.1)
    ours = cosine(floor=0.1)
    for step in range(steps):
        assert ours(step / steps) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


def test_restarts_equal_torch():
    steps = 70  # cycles of 10, 20 and 40 steps
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10, T_mult=2, eta_min=0.1)
    ours = cosine(floor=0.1, restarts=2, growth=2.0)
    for step in range(steps):
        assert ours(step / steps + 1e-12) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


def test_the_exponential_schedule_falls_in_steps():
    """EfficientNet: 0.97 every 2.4 of 350 epochs, after 5 epochs of warm-up."""
    ours = exponential(factor=0.97, every=2.4 / 350, warmup=5 / 350, warm=0.5)
    assert ours(0) == pytest.approx(0.97**2 * 0.5) and ours(2.5 / 350) == pytest.approx(0.97**2 * 0.75)
    assert [ours(epoch / 350) for epoch in (5, 7.1, 7.2, 9.5, 9.6)] == pytest.approx([0.97**n for n in (2, 2, 3, 3, 4)])


def test_linear_is_a_line_and_warmup_climbs_to_it():
    assert [linear()(f) for f in (0, 0.25, 0.5)] == [1, 0.75, 0.5]
    warmed = linear(warmup=0.2)
    assert warmed(0) == pytest.approx(1e-3) and warmed(0.1) == pytest.approx(0.5005) and warmed(0.2) == 1.0
    assert warmed(0.6) == pytest.approx(0.5)


def test_linear_may_hold_before_it_falls_to_its_floor():
    held = linear(hold=0.5)
    assert [held(f) for f in (0, 0.25, 0.5)] == [1, 1, 1]
    assert [held(f) for f in (0.625, 0.75, 0.875)] == [0.75, 0.5, 0.25]
    assert linear(hold=0.6, floor=0.2)(0.8) == pytest.approx(0.6) and linear(hold=0.6, floor=0.2)(1) == pytest.approx(0.2)
    both = linear(warmup=0.2, hold=0.6)
    assert both(0) == pytest.approx(1e-3) and both(0.1) == pytest.approx(0.5005)
    assert both(0.2) == both(0.6) == 1.0 and both(0.8) == pytest.approx(0.5)
    assert [linear(warmup=0.2, hold=0.2)(f) for f in (0.1, 0.3, 0.6)] == [linear(warmup=0.2)(f) for f in (0.1, 0.3, 0.6)]


def test_steps_drop_at_exactly_their_step():
    schedule = step_decay(at=(8 / 12, 11 / 12))
    values = [schedule(step / 90_000) for step in (59_999, 60_000, 82_499, 82_500)]
    assert values == pytest.approx([1, 0.1, 0.1, 0.01])


def test_one_cycle_peaks_where_it_should():
    schedule = one_cycle(peak=0.25)
    assert schedule(0) == pytest.approx(1 / 25) and schedule(0.25) == 1.0 and schedule(1 - 1e-9) == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: cosine(warmup=1.0), "the warm-up is 1.0 of training"),
        (lambda: linear(hold=1.0), r"held for 1\.0 of training, with a warm-up of 0\.0; give a fraction below 1 after it"),
        (lambda: linear(hold=-0.1), r"held for -0\.1"),
        (lambda: linear(hold=float("nan")), "held for nan"),
        (lambda: linear(warmup=0.3, hold=0.2), r"held for 0\.2 of training, with a warm-up of 0\.3"),
        (lambda: step_decay(at=(0.9, 0.5)), "drops at"),
        (lambda: one_cycle(peak=0), "peaks at 0"),
        (lambda: cosine(restarts=-1), "the cosine has -1 restarts"),
        (lambda: cosine(restarts=1, growth=0.0), "cycles that grow by 0.0; give 0 or more, and a number above 0"),
        (lambda: exponential(factor=1.1, every=0.1), "falls to 1.1 of itself every 0.1 of training"),
        (lambda: exponential(factor=0.9, every=0.0), "give two numbers above 0, at most 1"),
        (lambda: constant(warmup=0.1, warm=0.0), "the warm-up begins at 0.0 of the rate; give a number above 0"),
    ],
)
def test_bad_fractions_are_refused(make, match):
    with pytest.raises(UserError, match=match):
        make()
