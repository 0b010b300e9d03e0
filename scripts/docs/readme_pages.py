"""Front page and first steps: the README's sections, with links that work inside the site."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FIRST_STEPS = ("The quickstart", "A real run")
"""Headings of the README for the page of first steps; the rest is the front page."""

WIDE = "---\nhide: [navigation, toc]\n---\n"
"""Front matter that hides the side columns: the diagram needs the width."""

SHIPPED = "reference/recipes/shipped.md"


def readme_pages(readme: str) -> dict[str, str]:
    """Return path below docs/ -> Markdown. `ValueError` when the README lacks a heading of `FIRST_STEPS`."""
    lead, *rest = re.split(r"^## ", site_links(readme), flags=re.MULTILINE)
    sections = {text.partition("\n")[0]: f"## {text}" for text in rest}
    missing = [name for name in FIRST_STEPS if name not in sections]
    if missing:
        raise ValueError(f"README.md has no section {missing[0]!r}; scripts/docs/readme_pages.py names its headings")
    front = [text for name, text in sections.items() if name not in FIRST_STEPS]
    return {
        "index.md": WIDE + lead + "".join(front),
        "first-steps.md": "# First steps\n\n" + "".join(sections[name] for name in FIRST_STEPS),
    }


def site_links(text: str) -> str:
    """Link to pages of docs/ and to shipped recipes; remove links to other files, which are not in the site."""

    def place(match: re.Match[str]) -> str:
        words, target = match.groups()
        if re.match(r"https?:|#", target):
            return match[0]
        if target.startswith("docs/"):
            return f"[{words}]({target.removeprefix('docs/')})"
        return f"[{words}]({SHIPPED})" if target.partition("/")[0] == "recipes" else f"`{words}`"

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", place, text)
