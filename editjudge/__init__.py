"""EditJudge builds, measures and serves judges of image edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from editjudge.asking.judge import Judge

__all__ = ["Judge", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `Judge` on first access, so that `import editjudge` stays fast."""
    if name == "Judge":
        from editjudge.asking.judge import Judge

        return Judge
    raise AttributeError(f"module 'editjudge' has no attribute {name!r}")
