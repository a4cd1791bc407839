"""MyNet as a declaration: what it adds to image classification. No torch here: functions import it when they are called."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from classification.settings import DataSettings, classification
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
METHOD = {"name": "mynet", "title": "MyNet", "paper": "arXiv:2601.00001", "authors": "Doe, 2026"}


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


def networks(settings: Settings, facts: Any) -> Any:
    """What is searched, built and priced on the data of a run."""
    from common.cost.costs import tabulated
    from common.supernet import opened
    from common.task import Networks
    from tests.toy.model import build

    space = MyNet(classes=len(facts.classes))
    costs = tabulated(lambda: build(opened(space)), space, facts.example())
    order = [["width"], ["kernels.0", "kernels.1"]]
    return Networks(space=space, build=build, baseline=BASELINE, costs=costs, price=costs.price, order=order)


def phases(task: Any, kind: str) -> list[Any]:
    """How a supernet, the weights and the architecture of a relaxed one, and a network alone are trained."""
    from classification.data import Augment
    from classification.phases import Classify

    halves = dict(zip(("weights", "architecture"), task.halves))
    splits = {"supernet": {"supernet": task.data.train}, "relaxed": halves, "standalone": {"train": task.data.train}}
    train, augment = task.settings.train, Augment(padding=1)
    return [Classify(name=name, settings=train, split=split, augment=augment) for name, split in splits[kind].items()]


def build(description: MyNet) -> Any:
    """The module of a description, for the laws."""
    from tests.toy.model import build

    return build(description)


def example(space: str) -> tuple[Any, ...]:
    """Inputs of the networks of a space, for the laws."""
    import torch

    return (torch.zeros(2, 3, 8, 8),)


def published() -> dict[str, PublishedNetwork]:
    """The paper's networks with their published counts."""
    return {"MyNet-L": PublishedNetwork(description=MyNet, arch=partial(Arch, BASELINE), params=1_514)}


SYSTEM = System(
    name="mynet",
    task=classification,
    settings=Settings,
    methods=(Method(**METHOD, summary="search kernels and a width", recipes={"smoke": smoke}),),
    networks=networks,
    phases=phases,
    build=build,
    spaces={"mynet": MyNet},
    example=example,
    published=published,
)
