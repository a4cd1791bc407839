"""The documentation site is built strictly, without a network, and has a page for every public name."""

import ast
import os
import re
import subprocess
import sys

import pytest

from common.listing import ROOT
from tests.docs.commands import DOCUMENTS

PACKAGES = ("common", "classification", "detection", "gan", "graphs", "segmentation")
BUILD = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]  # with --quiet warnings would not be counted
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_MKDOCS_2_WARNING": "1"}
SETTINGS = NO_NETWORK | {"SEARCH_INDEX": "false", "SEPARATE_SIGNATURES": "false"}  # half of the time

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site: place of a page -> its text."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([*BUILD, str(folder)], cwd=ROOT, env=os.environ | SETTINGS, capture_output=True, text=True)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}


def modules():
    """Import path -> file of every module."""
    files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in files}
    named = {".".join(p[:-1] if p[-1] == "__init__" else p): path for path, p in parts.items()}
    return {name: path for name, path in named.items() if not any(part.startswith("_") for part in name.split("."))}


def public(path):
    """The names that a module offers: its classes and functions, and in the core its `__all__`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            found.add(node.name)
        elif path.is_relative_to(ROOT / "common") and isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            found |= set(ast.literal_eval(node.value))
    return found


def test_every_module_has_a_page(site):
    pages = {m: "api/" + m.replace(".", "/") + ("/index" if p.name == "__init__.py" else "") for m, p in modules().items()}
    assert [module for module, page in pages.items() if f'id="{module}"' not in site.get(f"{page}.html", "")] == []


def test_every_public_name_has_a_place(site):
    places = {name for page, text in site.items() if page.startswith("api/") for name in re.findall(r'\bid="([\w.]+)"', text)}
    names = [f"{module}.{name}" for module, path in modules().items() for name in public(path)]
    assert [name for name in names if name not in places] == []


def test_the_names_looked_for_are_those_of_the_core():
    names = {f"{module}.{name}" for module, path in modules().items() for name in public(path)}
    assert {"common.space.OneOf", "common.supernet.check", "common.search.driver.search", "common.engines.TopK"} <= names
    assert len(names) > 800


def test_every_document_is_a_page(site):
    places = {"README.md": "index.html", "CONTRIBUTING.md": "contributing.html"}
    for path in DOCUMENTS:
        name = str(path.relative_to(ROOT))
        place = places.get(name, name.removeprefix("docs/").replace("README.md", "index.md").replace(".md", ".html"))
        title = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert title and title[1].replace("`", "") in re.sub(r"<[^>]+>", "", site[place]), name


def test_pages_fetch_nothing_from_outside(site):
    tags = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")
    assert {tag for page in site.values() for tag in tags.findall(page)} == set()


def test_a_link_to_a_file_of_the_repository_leads_to_the_page_of_its_module(site):
    assert 'href="api/common/tables/own.html"' in site["index.html"]
    assert 'href="architecture.html#5-the-run-folder-holds-everything"' in site["index.html"]
    assert 'href="api/detection/detnas/system.html"' in site["architecture.html"]
    assert 'href="results/index.html"' in site["index.html"]


def test_systems_have_a_page_of_settings(site):
    assert {f"settings/{name}.html" for name in ("darts", "detnas", "gan-compression", "pdnas", "dcnas")} <= set(site)
    assert "search.engine.population" in site["settings/detnas.html"]


def test_the_page_on_reports_names_every_part_of_a_report():
    template = (ROOT / "common" / "run" / "report" / "template.html").read_text(encoding="utf-8")
    parts = re.findall(r"<h[23][^>]*>([A-Z][^<{]+)</h[23]>", template)
    assert len(parts) > 10
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    assert [part for part in parts if part not in text] == []
