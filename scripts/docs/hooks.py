"""MkDocs hook that generates the pages of the reference and of the README. See `mkdocs.yml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of docs/."""
    from mkdocs.structure.files import File

    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def generated_pages() -> dict[str, str]:
    """Return path below docs/ -> Markdown."""
    if str(ROOT) not in sys.path:  # MkDocs removes path entries of a hook after loading it
        sys.path.insert(0, str(ROOT))
    from scripts.docs.command_pages import command_pages
    from scripts.docs.readme_pages import readme_pages
    from scripts.docs.recipe_pages import recipe_pages

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {**readme_pages(readme), **command_pages(), **recipe_pages()}
