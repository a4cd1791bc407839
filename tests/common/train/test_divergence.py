"""A training that diverges: which of its losses is named, and that what was saved before can be gone on from."""

from math import inf, nan

import pytest
import torch
from torch import Tensor, nn

from common.run.checkpoint import Checkpoint
from common.streams import torch_stream
from common.train.fit import TrainingDiverged, fit
from tests.common.train.acting import Acts, plain


def batch_at(number: int) -> tuple[Tensor, Tensor]:
    generator = torch_stream(7, "batch", number)
    return torch.randn(6, 4, generator=generator), torch.randn(6, 1, generator=generator)


class Game:
    """Three losses and a figure; from a step on, some of them have the values given."""

    def __init__(self, at: int = 99, **odd: float) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(4, 1)
        self.at, self.odd, self.step = at, odd, -1

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        error = (model(batch[0]) - batch[1]).square().mean()
        terms = {"loss_gan": error, "loss_l1": 2 * error, "distil_loss": 3 * error, "score": error.detach()}
        return {n: 0 * value + self.odd[n] if self.step >= self.at and n in self.odd else value for n, value in terms.items()}

    def before(self, step: int) -> None:
        self.step = step

    def run(self, checkpoint: Checkpoint | None = None) -> dict[str, float]:
        return fit(
            plain(self.model, self.loss),
            batch_at=batch_at,
            optimizer=torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9),
            schedule=lambda fraction: 1.0,
            steps=8,
            checkpoint=checkpoint,
            save_every=2,
            participants=[Acts(self.before)],
        )


@pytest.mark.parametrize(
    ("odd", "named"),
    [
        ({"loss_gan": nan}, "the loss_gan is nan at step 5 of 8"),
        ({"distil_loss": inf}, "the distil_loss is inf at step 5 of 8"),
        ({"loss_gan": nan, "distil_loss": nan}, "the loss_gan and distil_loss is nan at step 5 of 8"),
        ({"loss_gan": inf, "loss_l1": inf, "distil_loss": inf}, "the loss_gan and loss_l1 and distil_loss is inf at step 5 of 8"),
        ({"loss_gan": nan, "score": nan}, "the loss_gan is nan at step 5 of 8"),
        ({"loss_l1": 2e38, "distil_loss": 2e38}, "the loss is inf at step 5 of 8"),  # each is finite, their sum is not
    ],
)
def test_the_losses_that_diverged_are_named(odd, named):
    with pytest.raises(TrainingDiverged, match=f"^{named} with learning rate 0.01; give a lower one"):
        Game(at=5, **odd).run()


def test_a_figure_that_is_no_number_ends_nothing():
    assert "score" in Game(at=3, score=nan).run()


def test_what_was_saved_before_can_be_gone_on_from(tmp_path):
    checkpoint, undisturbed = Checkpoint(tmp_path / "saved"), Game()
    result = undisturbed.run()
    broken = Game(at=5, loss_gan=nan)
    with pytest.raises(TrainingDiverged):
        broken.run(checkpoint)
    saved = checkpoint.load()
    assert saved is not None and saved.step == 4
    assert all(tensor.isfinite().all() for tensor in saved.tensors.values())
    with pytest.raises(TrainingDiverged, match="at step 5"):
        Game(at=5, loss_gan=nan).run(checkpoint)
    mended = Game()
    assert mended.run(checkpoint) == result and mended.step == 7
    assert all(torch.equal(a, b) for a, b in zip(mended.model.parameters(), undisturbed.model.parameters(), strict=True))
