"""MyNet as a declaration: what it adds to image classification. No torch here: the command line reads it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from classification.settings import DataSettings
from common.deferred import Deferred
from common.space import Arch, OneOf
from common.stages.settings import PhaseSettings, RetrainSettings, RunSettings, SearchSettings
from common.system import Method, PublishedNetwork, System
from common.train.optim import OptimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MyNet:
    """A network: the kernel of each layer, and the channels of all of them. `OneOf` is an open decision."""

    kernels: Any = (OneOf(1, 3, 5), OneOf(1, 3, 5))
    width: Any = OneOf(4, 8)
    classes: int = 10


BASELINE = Arch({"kernels.0": 1, "kernels.1": 1, "width": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    data: DataSettings
    train: PhaseSettings


def smoke() -> Settings:
    """Every stage on embedded digits, in seconds."""
    return Settings(
        recipe="smoke",
        budget={},
        data=DataSettings(size=8, flip=False),
        search=SearchSettings(trials=12),
        train=PhaseSettings(steps=30, batch=32, optim=OptimSettings(name="adam", lr=0.01)),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def spaces() -> dict[str, MyNet]:
    """Spaces that the laws are tried on."""
    return {"mynet": MyNet()}


def published() -> dict[str, PublishedNetwork]:
    """The paper's networks with their published counts."""
    return {"MyNet-L": PublishedNetwork(description=MyNet, arch=partial(Arch, BASELINE), params=1_514)}


PAPER = {"title": "MyNet", "paper": "arXiv:2601.00001", "authors": "Doe, 2026"}
METHOD = Method(name="mynet", **PAPER, summary="search kernels and a width", recipes={"smoke": smoke})
SYSTEM = System(
    name="mynet",
    task=Deferred("classification.task", "ClassificationTask"),
    settings=Settings,
    methods=(METHOD,),
    networks=Deferred("tests.toy.model", "networks"),
    phases=Deferred("tests.toy.model", "phases"),
    build=Deferred("tests.toy.model", "build"),
    spaces=spaces,
    example=Deferred("tests.toy.model", "example"),
    published=published,
)
