"""Joining, synchronising and leaving the process group of a run."""

from __future__ import annotations

import os


def join_processes(deepspeed: bool) -> None:
    """Join the process group before the trainer does, where its defaults fail."""
    import torch

    if not deepspeed or torch.cuda.is_available() or "RANK" not in os.environ:
        return
    from deepspeed import init_distributed
    from deepspeed.ops import __compatible_ops__

    # Plain gloo: DeepSpeed's shared-memory communication would be compiled first, which takes most of a minute.
    __compatible_ops__["deepspeed_shm_comm"] = False
    # ZeRO-3 on CPU reads the world size before the trainer has set it.
    init_distributed(dist_backend="gloo")


def leave_processes() -> None:
    """Leave the process group; otherwise gloo aborts now and then at interpreter exit."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def wait_for_all() -> None:
    """Wait until every process of the run has arrived."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()
