"""Editors: what turns a task into a candidate output."""

from __future__ import annotations

EDITORS: dict[str, str] = {
    "folder": "editjudge.editors.folder:Folder",
    "command": "editjudge.editors.command:Command",
}
"""Editors by the name that recipes use; an application may add its own."""
