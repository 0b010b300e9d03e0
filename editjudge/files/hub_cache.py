"""Where the libraries of Hugging Face keep what they download, and whether they can: on clusters often not."""

from __future__ import annotations

import tempfile
from pathlib import Path


def write_problem(folder: Path) -> str | None:
    """Why no file can be made in a folder, which is made when it is missing; None when one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The permissions alone do not tell: the file system may be read-only, or the user root.
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def hub_cache_advice(name: str | Path) -> str | None:
    """What to do when `name` could not be fetched because the hub's cache cannot be written.

    None when it can be, and when `name` is a file or folder here, which needs no cache.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    problem = None if Path(name).exists() else write_problem(folder)
    if problem is None:
        return None
    return (
        f"the cache of the Hugging Face hub, {folder}, cannot be written ({problem}); set the environment variable "
        "HF_HOME (or HF_HUB_CACHE alone) to a folder that you can write"
    )
