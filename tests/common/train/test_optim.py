import subprocess
import sys

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.train.averaging import averaged
from common.train.optim import OptimSettings, make_clip, make_optimizer, make_schedule, parameter_groups


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_only_weights_with_more_than_one_dimension_are_decayed():
    module = net()
    decayed, rest = parameter_groups(module, OptimSettings(weight_decay=0.1))
    assert [p.shape for p in decayed["params"]] == [(4, 3, 3, 3), (2, 4)] and decayed["weight_decay"] == 0.1
    assert [p.shape for p in rest["params"]] == [(4,), (4,), (4,), (2,)] and rest["weight_decay"] == 0.0
    module[0].weight.requires_grad_(False)
    assert len(parameter_groups(module, OptimSettings(weight_decay=0.1))[0]["params"]) == 1


def test_what_is_decayed_can_be_chosen():
    module = net()
    both = OptimSettings(weight_decay=0.1, decayed="all", undecayed=("1.*", "3.bias"))
    decayed, rest = parameter_groups(module, both)
    assert [p.shape for p in decayed["params"]] == [(4, 3, 3, 3), (4,), (2, 4)] and decayed["weight_decay"] == 0.1
    assert [p.shape for p in rest["params"]] == [(4,), (4,), (2,)] and rest["weight_decay"] == 0.0
    assert len(parameter_groups(module, OptimSettings(decayed="all"))) == 1
    with pytest.raises(UserError, match=r"undecayed: 'stem\.\*' is no parameter of Sequential; .* names such as 0\.weight"):
        make_optimizer(module, OptimSettings(undecayed=("3.bias", "stem.*")))


def test_rmsprop_and_nesterov_are_torchs():
    settings = OptimSettings(name="rmsprop", lr=0.3, momentum=0.8, smoothing=0.7, eps=1e-3)
    rms = make_optimizer(net(), settings)
    assert isinstance(rms, torch.optim.RMSprop)
    group = rms.param_groups[0]
    assert [group[name] for name in ("lr", "momentum", "alpha", "eps", "centered")] == [0.3, 0.8, 0.7, 1e-3, False]
    assert make_optimizer(net(), OptimSettings(nesterov=True)).param_groups[0]["nesterov"]
    assert make_optimizer(net(), OptimSettings(name="adamw", eps=1e-5)).param_groups[0]["eps"] == 1e-5
    assert make_optimizer(net(), OptimSettings(name="adam")).param_groups[0]["eps"] == 1e-8


def test_gradients_are_clipped_together_or_one_by_one():
    def gradients(each):
        module = nn.Linear(2, 1)
        module.weight.grad, module.bias.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([0.5])
        clip = make_clip(OptimSettings(clip=1.0, clip_each=each))
        assert clip is not None and clip.apply(module.parameters()) == pytest.approx(25.25**0.5)
        return module.weight.grad, module.bias.grad

    weight, bias = gradients(each=True)
    assert torch.allclose(weight, torch.tensor([[0.6, 0.8]])) and torch.equal(bias, torch.tensor([0.5]))
    weight, bias = gradients(each=False)
    assert torch.allclose(weight, torch.tensor([[3.0, 4.0]]) / 25.25**0.5) and torch.allclose(
        bias, torch.tensor([0.5 / 25.25**0.5])
    )
    assert make_clip(OptimSettings()) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"restarts": 1, "schedule": "linear"}, "restarts is 1 with schedule 'linear'; give it to cosine"),
        ({"nesterov": True, "name": "adam"}, "nesterov with adam and momentum 0.9; give it to sgd"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov with sgd and momentum 0.0; give it to sgd with a momentum above 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(wrong, says):
    with pytest.raises(UserError, match=says):
        OptimSettings(**wrong)


def test_optimizers_follow_the_settings():
    sgd = make_optimizer(net(), OptimSettings(name="sgd", lr=0.3, momentum=0.8))
    assert (
        isinstance(sgd, torch.optim.SGD)
        and {g["lr"] for g in sgd.param_groups} == {0.3}
        and sgd.param_groups[0]["momentum"] == 0.8
    )
    adamw = make_optimizer(net(), OptimSettings(name="adamw", lr=1e-3, weight_decay=0.05))
    assert isinstance(adamw, torch.optim.AdamW) and [g["weight_decay"] for g in adamw.param_groups] == [0.05, 0.0]
    adam = make_optimizer(net(), OptimSettings(name="adam", lr=1e-3, weight_decay=0.05))
    assert type(adam) is torch.optim.Adam and [g["weight_decay"] for g in adam.param_groups] == [0.05, 0.0]
    with pytest.raises(UserError, match="Linear has no trainable parameter"):
        make_optimizer(nn.Linear(2, 2).requires_grad_(False), OptimSettings())


def test_the_cosine_and_the_line_end_at_the_floor():
    for schedule in ("cosine", "linear"):
        rate = make_schedule(OptimSettings(lr=0.025, schedule=schedule, floor=0.04))
        assert 0.025 * rate(0) == pytest.approx(0.025) and 0.025 * rate(1 - 1e-9) == pytest.approx(0.001)
        assert rate(0.5) == pytest.approx(0.52)
        assert make_schedule(OptimSettings(schedule=schedule))(1 - 1e-9) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("name", "in_gradient"), [("adam", True), ("adamw", False)])
def test_adam_decays_in_the_gradient_and_adamw_beside_it(name, in_gradient):
    """Three steps against the equations of Kingma & Ba (1412.6980) and of Loshchilov & Hutter (1711.05101), algorithm 2."""
    lr, beta, beta2, decay, x = 0.1, 0.8, 0.999, 0.3, torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    torch.manual_seed(0)
    module = nn.Linear(2, 1).double()
    weights = {n: p.detach().clone() for n, p in module.named_parameters()}
    optimizer = make_optimizer(module, OptimSettings(name=name, lr=lr, momentum=beta, weight_decay=decay))
    m, v = ({n: torch.zeros_like(w) for n, w in weights.items()} for _ in range(2))
    for t in (1, 2, 3):
        optimizer.zero_grad()
        module(x).square().sum().backward()
        optimizer.step()
        out = (weights["weight"] * x).sum() + weights["bias"]
        gradients = {"weight": 2 * out * x, "bias": 2 * out}
        for n, w in weights.items():
            own = decay if n == "weight" else 0.0  # biases are not decayed
            g = gradients[n] + own * w if in_gradient else gradients[n]
            m[n], v[n] = beta * m[n] + (1 - beta) * g, beta2 * v[n] + (1 - beta2) * g**2
            kept = w if in_gradient else (1 - lr * own) * w
            weights[n] = kept - lr * (m[n] / (1 - beta**t)) / ((v[n] / (1 - beta2**t)).sqrt() + 1e-8)
    for n, p in module.named_parameters():
        torch.testing.assert_close(p.detach(), weights[n], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_a_part_may_be_trained_later_than_others(name):
    early, late = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = make_optimizer(nn.ModuleList([early, late]), OptimSettings(name=name))
    for parts in ([early], [early, late], [late]):
        optimizer.zero_grad(set_to_none=True)
        before = [part.weight.clone() for part in (early, late)]
        sum(part(torch.ones(1, 2)).sum() for part in parts).backward()
        optimizer.step()
        moved = [not torch.equal(part.weight, old) for part, old in zip((early, late), before)]
        assert moved == [early in parts, late in parts]


LAST = {"constant": 1, "cosine": 0, "exponential": 0.97**145, "linear": 0, "one-cycle": 1e-4, "step": 0.01}


@pytest.mark.parametrize(("name", "last"), LAST.items())
def test_every_schedule_can_be_made(name, last):
    assert make_schedule(OptimSettings(schedule=name))(1 - 1e-9) == pytest.approx(last, abs=1e-6)


def test_the_linear_schedule_warms_up_holds_and_ends_at_the_floor():
    rate = make_schedule(OptimSettings(schedule="linear", warmup=0.1, hold=0.5, floor=0.1))
    assert rate(0.05) < 0.6 and rate(0.1) == rate(0.5) == 1.0
    assert rate(0.75) == pytest.approx(0.55) and rate(1 - 1e-9) == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [{"schedule": "linear", "warmup": 0.2, "hold": 0.1}, {"schedule": "cosine", "hold": 0.5}])
def test_a_rate_is_held_by_the_linear_schedule_alone_and_after_the_warm_up(bad):
    with pytest.raises(UserError, match=f"hold is {bad['hold']} with schedule '{bad['schedule']}'.* give it to linear"):
        OptimSettings(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        *({"lr": 0.0}, {"momentum": 1.0}, {"weight_decay": -1.0}, {"clip": 0.0}, {"hold": 1.0}, {"hold": -0.1}, {"floor": 1.0}),
        *({"smoothing": 1.0}, {"eps": 0.0}, {"warm": 0.0}, {"restarts": -1}, {"growth": 0.0}, {"factor": 0.0}, {"interval": 2.0}),
    ],
)
def test_settings_out_of_range_are_named(bad):
    with pytest.raises(UserError, match=f"{next(iter(bad))} is {next(iter(bad.values()))}; give"):
        OptimSettings(**bad)


def test_averaged_is_the_moving_average_that_keeps_less_at_first():
    module = nn.Linear(1, 1, bias=False)
    ema = averaged(module, 0.25)
    for value in (1.0, 2.0, 3.0, 4.0):
        nn.init.constant_(module.weight, value)
        ema.update_parameters(module)
    first = 2 / 11 * 1 + 9 / 11 * 2  # the first update copies; the second keeps 2/11
    second = 3 / 12 * first + 9 / 12 * 3
    assert ema.module.weight.item() == pytest.approx(0.25 * second + 0.75 * 4)  # 4/13 would be more than 0.25


def test_no_torch_at_import():
    modules = "common.train.optim, common.run.folder, common.run.stages, common.run.progress, common.run.environment"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; sys.exit('torch' in sys.modules)"], check=True)
