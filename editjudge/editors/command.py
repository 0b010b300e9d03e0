"""Candidates from an external program, one call per task."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from PIL import Image
from pydantic import Field, field_validator

from editjudge.editors.base import Editor
from editjudge.files.io import digest
from editjudge.images.pixels import load_image
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask

_FIELD = re.compile(r"\{(instruction|input|output|seed)\}")


class Command(Editor):
    """Runs a program without a shell, so that instructions cannot inject commands."""

    argv: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments. {instruction}, {input}, {output} and {seed} are replaced everywhere; an argument
    that is just "{input}" becomes one argument per input image."""
    label: str = Field(min_length=1)
    """Name and version of the program: recorded as the editor."""
    timeout_s: float = Field(600, gt=0)
    """Time-out of a call, in seconds: the program and its child processes are ended, and the triplet fails."""

    @field_validator("argv")
    @classmethod
    def _has_output(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not any("{output}" in argument for argument in value):
            raise ValueError("no argument holds {output}, so the program cannot say where the image is")
        return value

    @property
    def identity(self) -> str:
        """The label and a digest of the command line."""
        return f"{self.label}#{digest(*self.argv)[:8]}"

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """Return the program's image as RGB. Raises `RuntimeError` with the end of its output when it failed."""
        with tempfile.TemporaryDirectory(prefix="editjudge-") as name:
            inputs = []
            for index, ref in enumerate(task.inputs):
                inputs.append(str(Path(name) / f"input{index}.png"))
                images.read(ref).save(inputs[-1])
            output = Path(name) / "output.png"
            self._call(self._arguments(task.instruction, inputs, str(output), seed))
            if not output.is_file():
                raise RuntimeError(f"{self.argv[0]} ended without writing {{output}}")
            return load_image(output)

    def _arguments(self, instruction: str, inputs: list[str], output: str, seed: int) -> list[str]:
        values = {"instruction": instruction, "input": inputs[0], "output": output, "seed": str(seed)}
        arguments: list[str] = []
        for argument in self.argv:
            if argument == "{input}":
                arguments.extend(inputs)
            elif "{input}" in argument and len(inputs) > 1:
                raise ValueError(f"{argument!r} has room for one image; the task has {len(inputs)}")
            else:
                # One pass over the template: a "{seed}" inside the instruction stays as it is.
                arguments.append(_FIELD.sub(lambda match: values[match.group(1)], argument))
        return arguments

    def _call(self, arguments: list[str]) -> None:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            _, stderr = process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.argv[0]} took longer than {self.timeout_s:g} s") from None
        finally:
            # The program may have started others that use the GPU or the pipe: end its whole session.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode != 0:
            last = stderr.strip().splitlines()[-1:] or ["no message"]
            raise RuntimeError(f"{self.argv[0]} ended with status {process.returncode}: {last[0]}")
