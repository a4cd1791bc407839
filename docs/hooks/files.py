"""Files outside of docs/ in the site, and links of every page.

Markdown files link to files of the repository by relative paths, which a repository page follows. Here a link to a Markdown file
or a picture becomes a link to its place in the site, and a link to a Python file becomes one to the page of the module.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "LICENSE": "LICENSE.txt"}
"""File outside of docs/ -> its place in the site."""
EXAMPLES = "examples/"
"""Folder of scripts, which are in the site as they are, beside the pages of docs/examples/."""
LINK = re.compile(r"(?<=\]\()([^()\s#]+)(?=[#)])")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

log = get_plugin_logger("files")


def on_config(config: MkDocsConfig) -> None:
    """Leaves the line that is logged for every module out; warnings stay."""
    logging.getLogger("mkdocs.plugins.api-autonav").setLevel(logging.WARNING)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages and scripts that lie outside of docs/."""
    for name, place in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    for path in sorted((ROOT / EXAMPLES).rglob("*.py")):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text of a page, its links made ready for the site."""
    place = page.file.src_uri
    source = source_of(place)
    if not (ROOT / source).is_file():  # a page that is made at build time; its links are the site's
        return markdown

    def in_site(match: re.Match[str]) -> str:
        link = match[1]
        if "://" in link:
            return link
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        found = place_of(target)
        if files.get_file_from_path(found) is None:
            log.warning(f"{source} links to {link}, which has no page in the site")
        return posixpath.relpath(found, posixpath.dirname(place) or ".")

    return outside_code(markdown, lambda text: LINK.sub(in_site, text))


def source_of(place: str) -> str:
    """The file of the repository that a page is made of, by its place in the site."""
    return next((name for name, known in PAGES.items() if known == place), f"docs/{place}")


def place_of(path: str) -> str:
    """Where a file or folder of the repository is found in the site: what a Python file holds is on the page of its module."""
    if path in PAGES:
        return PAGES[path]
    if path.endswith(".py") and not path.startswith(EXAMPLES):
        module = re.sub(r"/__init__\.py$", "/index.py", path)
        return f"api/{module[:-3]}.md"
    if path.startswith(EXAMPLES):
        return path
    inside = path.removeprefix("docs/")
    return f"{inside}/README.md" if (ROOT / path).is_dir() else inside


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """`markdown` with `change` made to the text between fenced blocks of code."""
    parts, end = [], 0
    for block in CODE.finditer(markdown):
        parts += [change(markdown[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, change(markdown[end:])])
