"""Editors: what turns a task into a candidate output."""

from __future__ import annotations

EDITORS: dict[str, str] = {
    "programmatic": "curation.editors.programmatic:Programmatic",
    "folder": "curation.editors.folder:Folder",
    "command": "curation.editors.command:Command",
}
"""What `use:` may name in the `editors` of the `edit` stage."""
