"""Engines: the models behind judges. `ENGINES` names them for the `use:` key of recipes."""

from __future__ import annotations

ENGINES: dict[str, str] = {
    "hf": "editjudge.engines.hf:HFEngine",
    "scripted": "editjudge.engines.scripted:ScriptedEngine",
}
"""Name -> "module:Class". Each class is a frozen pydantic model: its fields are the recipe's parameters."""
