"""Words of command lines: settings, gene strings, names, expressions, texts of cells."""

from pathlib import Path
from random import Random

from classification.cells.genotypes import published, read_genotype, to_text
from classification.darts.system import SYSTEM as DARTS
from common.expression import check, parse
from common.overrides import override
from detection.detnas.names import read_arch as read_detnas
from detection.detnas.system import SYSTEM as DETNAS
from gan.compression.names import read as read_gan
from gan.compression.system import SYSTEM as GAN
from graphs.pdnas.names import graph_named, read_network
from graphs.pdnas.system import SYSTEM as PDNAS
from segmentation.dcnas.names import read_arch as read_dcnas
from segmentation.dcnas.system import SYSTEM as DCNAS
from tests.fuzz.case import Case
from tests.fuzz.damage import word

SETTINGS = (
    "search.trials=4", "search.engine=aging", "search.engine.population=10", "seed=3", "retrain.seeds=1", "data.size=32",
    "search.evaluation.overrides=[\"train.steps=1\"]", "budget={\"macs\": 100}", "train.optim.lr=0.1", "space.width=8",
    "threads=2",
)  # fmt: skip
GENES = ("0" * 20, "13" * 20, "32_32_48_32_48_48_16_16", "GCN Cora", "GAT PubMed", "1433x7", "unet", "DARTS_V2")
REWARDS = ("accuracy - 0.1 * log(params)", "accuracy * (macs / 100) ** -0.07", "max(accuracy, 0.5) if params < 9 else 0")


def _nothing(folder: Path) -> None:
    """Words need no files."""


def _settings(folder: Path, rng: Random) -> None:
    method = rng.choice([method for system in (DARTS, DETNAS, GAN, PDNAS, DCNAS) for method in system.methods])
    words = [word(text, rng) if rng.random() < 0.7 else text for text in rng.sample(SETTINGS, rng.choice((1, 1, 2)))]
    override(method.recipes["smoke"](), words)


def _names(folder: Path, rng: Random) -> None:
    text = word(rng.choice(GENES), rng)
    reader = rng.choice((read_detnas, read_gan, read_network, read_dcnas, lambda text, _: graph_named(text)))
    reader(text, None)


def _cells(folder: Path, rng: Random) -> None:
    texts = ["DARTS_V2", *map(to_text, published().values())]
    read_genotype(word(rng.choice(texts), rng))


def _rewards(folder: Path, rng: Random) -> None:
    expression = parse(word(rng.choice(REWARDS), rng))
    check(expression, ["accuracy"], {"params": 10.0, "macs": 200.0})


CASES = (
    Case(name="settings", make=_nothing, read=_settings, share=12),
    Case(name="names and genes", make=_nothing, read=_names, share=8),
    Case(name="cells", make=_nothing, read=_cells, share=6),
    Case(name="rewards", make=_nothing, read=_rewards, share=4),
)
