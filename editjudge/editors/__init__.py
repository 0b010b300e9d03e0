"""Editors: they turn a task into a candidate output."""

from __future__ import annotations

EDITORS: dict[str, str] = {
    "folder": "editjudge.editors.folder:Folder",
    "command": "editjudge.editors.command:Command",
}
"""Name in recipes -> "module:Class" of an editor; applications may add their own."""
