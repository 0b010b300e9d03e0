"""The processes of a run among themselves: meeting, waiting for each other, parting."""

from __future__ import annotations

import os


def join_processes(deepspeed: bool) -> None:
    """Meet the other processes before the trainer does, where it would do it wrongly."""
    import torch

    if not deepspeed or torch.cuda.is_available() or "RANK" not in os.environ:
        return
    from deepspeed import init_distributed
    from deepspeed.ops import __compatible_ops__

    # Plain gloo: DeepSpeed's shared-memory communication would be compiled first, for most of a minute.
    __compatible_ops__["deepspeed_shm_comm"] = False
    # ZeRO-3 on CPU reads the world size before the trainer has set it up.
    init_distributed(dist_backend="gloo")


def leave_processes() -> None:
    """Without it, gloo aborts now and then while the interpreter exits."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def wait_for_all() -> None:
    """Wait until every process of the run is here."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()
