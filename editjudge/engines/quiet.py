"""Silencing log messages that libraries address to developers."""

from __future__ import annotations

import os
import sys
import warnings


def quiet(main: bool) -> None:
    """Silence library messages that users cannot act on; others stay."""
    import torch

    for calls_by_libraries in (
        r"`(is_)?gradient_checkpointing` is deprecated",
        r"`torch\.distributed\.\w+` is deprecated",
    ):
        warnings.filterwarnings("ignore", calls_by_libraries, FutureWarning)
    if not torch.cuda.is_available():
        # Otherwise DeepSpeed warns in every process that it found no GPU.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if not (main and sys.stderr.isatty()):
        from transformers.utils import logging

        logging.disable_progress_bar()
