"""What the browser gets: originals with their profile, and copies in sRGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from factories import make_image
from icc_ground import WIDE, saved
from PIL import Image

from annotation.page.served import ServedImages
from editjudge.images.pixels import load_image
from editjudge.images.store import ImageStore


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_browsers_show_what_a_judge_sees(tmp_path: Path, kind: str) -> None:
    """A TIFF is served as PNG; a large image has a smaller copy for the screen. Neither may lose its colours."""
    content = saved(make_image(400, 300), kind, icc_profile=WIDE["adobe"])
    store = ImageStore(tmp_path)
    ref = store.add_file(content, f"photo.{kind.lower()}")
    served = ServedImages(tmp_path / "served", store, screen_px=200)
    assert served.prepare([ref]) == {}
    shown = served.shown(ref, "")
    original, screen = ((tmp_path / "served" / name).read_bytes() for name in (shown.original, shown.screen))
    assert (original == content) == (kind == "JPEG")  # with its profile, which the browser applies
    seen = load_image(content)
    assert load_image(original).tobytes() == seen.tobytes()
    small = Image.open(io.BytesIO(screen))
    assert "icc_profile" not in small.info  # browsers take such a file as sRGB
    wanted, stored = seen.copy(), load_image(content, colors="stored")
    wanted.thumbnail((200, 200))
    stored.thumbnail((200, 200))
    near, far = (np.abs(np.asarray(small, int) - np.asarray(other, int)).mean() for other in (wanted, stored))
    assert near < 2 < far
