import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from common import export
from common.errors import UserError
from common.export import agreement, export_onnx, write_script
from common.extras import MissingPackages

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x)
        return self.head(features.mean((2, 3))), features


def test_export_gives_the_same_numbers_for_any_batch(tmp_path: Path, capfd):
    import onnxruntime

    torch.manual_seed(0)
    network = TwoHeads().train()
    with torch.no_grad():
        network(torch.rand(4, 3, 16, 16))
    parity = export_onnx(network, (torch.rand(1, 3, 16, 16),), tmp_path / "model.onnx")
    assert network.training and parity.dynamic_batch and parity.max_abs_diff <= 1e-4 * parity.scale
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == ""

    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    three = torch.rand(3, 3, 16, 16)
    got = np.asarray(session.run(None, {"input0": three.numpy()})[0])
    with torch.no_grad():
        assert np.allclose(got, network.eval()(three)[0].numpy(), atol=1e-5)


class Scaling(nn.Module):
    """A buffer that is named like an operation on weights: the exporter computes the operation and gives the result its name."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.tensor([1.0, 2.0]))
        self.weight = nn.Parameter(torch.arange(4.0).view(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ (self.weight * self.weight.abs().mean())


def test_names_of_buffers_and_of_operations_do_not_meet(tmp_path: Path):
    assert export_onnx(Scaling(), (torch.rand(1, 2),), tmp_path / "model.onnx").dynamic_batch


class Clamped(nn.Module):
    """Limits one tensor twice, alike: two branches of a network with binary activations."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)])

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions[0](x)
        return self.convolutions[1](y.clamp(0, 1)) + self.convolutions[2](y.clamp(0, 1))


def test_two_equal_clamps_of_one_tensor_are_exported(tmp_path: Path):
    """The exporter merged them into a node without its limits, and onnxruntime did not open the file."""
    assert export_onnx(Clamped(), (torch.rand(1, 3, 4, 4),), tmp_path / "m.onnx").max_abs_diff < 1e-5


class Stepping(nn.Module):
    """Gives signs, or the numbers themselves."""

    def __init__(self, rounds: bool) -> None:
        super().__init__()
        self.rounds = rounds

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, 1.0, -1.0) if self.rounds else x.clone()


@pytest.mark.parametrize(("wrong", "rounds", "passes"), [(4, True, True), (5, True, False), (1, False, False)])
def test_a_network_with_steps_may_differ_on_a_few_inputs(tmp_path: Path, monkeypatch, wrong, rounds, passes):
    """The first input differs, and `wrong` of its shifted copies; a network without steps may not differ at all."""
    calls = [0]
    ran = export._run

    def run(source, given):
        found = ran(source, given)
        calls[0] += 1
        return [-array for array in found] if calls[0] <= 1 + wrong else found

    monkeypatch.setattr(export, "_run", run)
    network, x = Stepping(rounds), torch.randn(1, 3, 5)
    if passes:
        assert export_onnx(network, (x,), tmp_path / "m.onnx").max_abs_diff == 0
        return
    with pytest.raises(UserError, match="onnxruntime differs from torch"):
        export_onnx(network, (x,), tmp_path / "m.onnx")


def test_a_script_is_written_with_its_values(tmp_path: Path):
    write_script(tmp_path, "print(@SIZE@, @NAMES@[1])", {"SIZE": (16, 24), "NAMES": ("a", "it's @SIZE")})
    ran = subprocess.run([sys.executable, tmp_path / "use.py"], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "(16, 24) it's @SIZE\n", ran.stderr


def test_a_network_in_eval_mode_stays_in_it_inside_a_new_wrapper(tmp_path: Path):
    network = TwoHeads().eval()
    wrapper = nn.Sequential(network)  # itself in training mode
    export_onnx(wrapper, (torch.rand(1, 3, 16, 16),), tmp_path / "model.onnx")
    assert wrapper.training and not any(part.training for part in network.modules())


class FixedBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 12) * 2


def test_a_network_that_fixes_the_batch_is_exported_with_it(tmp_path: Path):
    assert not export_onnx(FixedBatch(), (torch.rand(1, 3, 2, 2),), tmp_path / "m.onnx").dynamic_batch


def test_wrong_numbers_are_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match=r"m\.onnx: onnxruntime differs from torch by .* where the largest output is"):
        export_onnx(nn.Linear(2, 2), (torch.ones(1, 2),), tmp_path / "m.onnx")


class Squashed(nn.Module):
    """Scores of real size, squashed; the file that is written of it has other scores in the output `wrong`."""

    def __init__(self, wrong: int | None = None) -> None:
        super().__init__()
        self.wrong = wrong

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        scores = [torch.stack([500 * x, -300 * x], 1).flatten(1) for _ in range(3)]
        if self.wrong is not None and torch.compiler.is_exporting():
            scores[self.wrong] = scores[self.wrong] + 1
        return scores[0].softmax(1), scores[1].sigmoid(), scores[2].tanh()


@pytest.mark.parametrize("wrong", [None, 0, 1, 2])
def test_scores_are_compared_before_a_function_that_hides_what_differs(tmp_path: Path, wrong):
    """The outputs themselves are 0, 1 and -1, with and without the mistake."""
    x = torch.ones(1, 1, 1)
    if wrong is None:
        assert export_onnx(Squashed(), (x,), tmp_path / "good.onnx").max_abs_diff < 1e-6
        return
    with pytest.raises(UserError, match=r"onnxruntime differs from torch by 1 where the largest output is 500"):
        export_onnx(Squashed(wrong), (x,), tmp_path / "wrong.onnx")


def test_every_output_is_compared_by_its_own_size(tmp_path: Path):
    """A small output is not hidden by a large one."""
    small = torch.tensor([0.01, 0.02])
    large = torch.tensor([1000.0])
    path = tmp_path / "m.onnx"
    assert agreement(path, [(large.numpy(), large), (small.numpy() + 1e-7, small)]) == pytest.approx((1e-7, 0.02), rel=0.1)
    with pytest.raises(UserError, match=r"differs from torch by 0\.001 where the largest output is 0\.02"):
        agreement(path, [(large.numpy(), large), (small.numpy() + 1e-3, small)])
    with pytest.raises(UserError, match="differs from torch by nan"):
        agreement(path, [(small.numpy() * np.nan, small)])


def test_scores_that_are_not_in_the_file_are_refused(tmp_path: Path):
    class Else(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.exp() / x.exp().sum(1, keepdim=True) if torch.compiler.is_exporting() else x.softmax(1)

    with pytest.raises(UserError, match="the scores before output0, which end in Div, cannot be compared"):
        export_onnx(Else(), (torch.rand(1, 3),), tmp_path / "m.onnx")


def test_missing_packages_are_named_before_anything_is_written(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        MissingPackages, match=r"^onnxscript not installed: export needs it; run pip install 'tasknas\[export\]'$"
    ):
        export_onnx(nn.Linear(2, 2), (torch.ones(1, 2),), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_are_no_tensors_are_refused(tmp_path: Path):
    class Words(nn.Module):
        def forward(self, x: Tensor) -> str:
            return "no"

    with pytest.raises(UserError, match="returns str cannot be exported"):
        export_onnx(Words(), (torch.ones(1, 2),), tmp_path / "m.onnx")


class AnySize(nn.Module):
    """Takes pictures of any size; where `wrong`, the file gives other numbers for all sizes but that of the export."""

    def __init__(self, wrong: bool = False) -> None:
        super().__init__()
        self.wrong = wrong
        self.conv = nn.Conv2d(3, 3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        off = (x.shape[2] - 8) * self.wrong if torch.compiler.is_exporting() else 0
        return nn.functional.interpolate(self.conv(x), scale_factor=2, mode="nearest") + off


class OneSize(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 3, 8, 9) * 2


def test_a_file_for_inputs_of_any_size_is_checked_on_others(tmp_path: Path):
    free, example, other = [{0: "batch", 2: "height", 3: "width"}], (torch.rand(2, 3, 8, 9),), (torch.rand(1, 3, 5, 12),)
    path = tmp_path / "m.onnx"
    assert export_onnx(AnySize(), example, path, free, [other]).dynamic_batch
    assert export._run(path, {"input0": np.zeros((3, 3, 1, 40), np.float32)})[0].shape == (3, 3, 2, 80)
    with pytest.raises(UserError, match=r"onnxruntime differs from torch by 3 "):
        export_onnx(AnySize(wrong=True), example, path, free, [other])
    (tmp_path / "fixed").mkdir()
    with pytest.raises(UserError, match="cannot be exported for inputs of any size"):
        export_onnx(OneSize(), example, tmp_path / "fixed" / "m.onnx", free, [example])
    assert list((tmp_path / "fixed").iterdir()) == []
