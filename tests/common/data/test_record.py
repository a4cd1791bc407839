"""What the data of every task have in common."""

from dataclasses import dataclass
from pathlib import Path

from common.data.record import SplitData


@dataclass(frozen=True)
class Items:
    items: tuple[int, ...]

    def head(self, count: int) -> "Items":
        return Items(self.items[:count])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers(SplitData[Items]):
    largest: int

    def files(self) -> dict[str, tuple[Path, ...]]:
        return {}

    def marks(self) -> list[bytes]:
        return [repr(split).encode() for split in self.splits]

    def facts(self) -> dict[str, int]:
        return {"largest": self.largest}


DATA = Numbers(
    name="numbers", train=Items((1, 2)), val=Items((3, 4, 5)), test=Items((6,)), largest=6, skipped=("7: odd",), notes=("few",)
)


def test_the_split_that_is_scored_is_the_one_asked_for_with_its_first_items():
    assert DATA.scored("val") is DATA.val and DATA.scored("test") is DATA.test
    assert DATA.scored("val", 2) == Items((3, 4)) and DATA.scored("val", 0) == Items(())
    assert DATA.splits == (DATA.train, DATA.val, DATA.test)


def test_the_description_holds_the_task_s_facts_between_name_and_remarks():
    assert list(DATA.describe()) == ["name", "digest", "largest", "skipped", "notes"]
    assert DATA.describe() == {"name": "numbers", "digest": DATA.digest(), "largest": 6, "skipped": ["7: odd"], "notes": ["few"]}
