"""EditJudge builds, measures and serves judges of image edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from editjudge.asking.judge import Judge

__all__ = ["Judge", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`from editjudge import Judge` without paying for it in `import editjudge`."""
    if name == "Judge":
        from editjudge.asking.judge import Judge

        return Judge
    raise AttributeError(f"module 'editjudge' has no attribute {name!r}")
