"""Whether the download cache of the Hugging Face libraries is writable: on clusters it often is not."""

from __future__ import annotations

import tempfile
from pathlib import Path


def write_problem(folder: Path) -> str | None:
    """Return why no file can be created in a folder, which is created when missing; None when one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Permissions are not enough: the file system may be read-only, or the user root.
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def hub_cache_advice(name: str | Path) -> str | None:
    """Return advice when `name` could not be downloaded because the hub's cache is not writable.

    Returns None when it is writable, and when `name` is a local file or folder, which needs no cache.
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
