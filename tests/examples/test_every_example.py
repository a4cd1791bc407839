"""Every example has a test, a page that shows what it printed, and a place in the list of examples."""

import re

import pytest

from tests.examples.running import EXAMPLES

ROOT = EXAMPLES.parent
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_the_examples_are_those_of_the_list():
    listed = re.findall(
        r"^\| \[[^]]+\]\((\w+)\.md\)", (ROOT / "docs/examples/README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == NAMES and len(NAMES) == 7
    assert {path.stem for path in (EXAMPLES / "configs").iterdir() if path.suffix == ".py"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_a_page_with_its_command_and_what_it_printed(name):
    page = (ROOT / "docs" / "examples" / f"{name}.md").read_text(encoding="utf-8")
    assert f"[examples/{name}.py](../../examples/{name}.py)" in page
    command, printed = re.findall(r"^```(?:text)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:2]
    out = re.match(rf"python examples/{name}\.py --out (runs/\w+)\b", command)
    assert out and f"{out[1]}/report.html" in printed


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_run_by_a_test(name):
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "examples").glob("test_own_*.py")))
    assert re.search(rf'run_example\(\s*"{name}"', tests)
