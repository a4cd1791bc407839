"""Links of the repository's Markdown files, and where they lead in the site."""

import pytest

from tests.docs.test_settings import hook

files = hook("files")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("README.md", "index.md"),
        ("CONTRIBUTING.md", "contributing.md"),
        ("docs/engines.md", "engines.md"),
        ("docs/results", "results/README.md"),
        ("docs/images/report.png", "images/report.png"),
        ("common/task.py", "api/common/task.md"),
        ("common/space/__init__.py", "api/common/space/index.md"),
    ],
)
def test_a_file_of_the_repository_has_a_place_in_the_site(path, place):
    assert files.place_of(path) == place


def test_a_page_knows_its_file():
    assert files.source_of("index.md") == "README.md"
    assert files.source_of("results/darts.md") == "docs/results/darts.md"


def test_code_is_left_as_it_is():
    text = "a [b](c.md)\n```\n[b](c.md)\n```\n[b](c.md)\n"
    assert files.outside_code(text, str.upper) == "A [B](C.MD)\n```\n[b](c.md)\n```\n[B](C.MD)\n"
