"""`editjudge doctor`: is this machine ready? Nothing heavy is imported: packages are looked up, not loaded."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from editjudge.errors import NetworkError
from editjudge.network import check_network
from editjudge.paths import user_path
from editjudge.provenance import cores, gpu_names, memory_gb

Level = Literal["ok", "warning", "problem"]

NEEDED_GB = 6.0
"""Memory and free disk that the quickstart may use, in GiB."""


class Finding(NamedTuple):
    """One line of the report."""

    level: Level
    text: str
    advice: str = ""
    """What to do; "" when nothing is wrong."""


def main(argv: list[str]) -> int:
    """Print every finding; 1 when one of them is a problem."""
    parser = argparse.ArgumentParser(prog="editjudge doctor", description="Is this machine ready?")
    parser.add_argument(
        "out", type=user_path, nargs="?", default="runs", help="folder that runs will write to (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    findings = [*_python(), *_packages(), *_torchvision(), *_hardware(), *_network(), *_disk(arguments.out)]
    for finding in findings:
        print(f"{finding.level:<8} {finding.text}{'; ' + finding.advice if finding.advice else ''}")
    counts = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    print(f"{counts['problem']} problem(s), {counts['warning']} warning(s)")
    return 1 if counts["problem"] else 0


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info >= (3, 14):  # older than 3.10 cannot even import this file
        yield Finding("warning", f"Python {version} is newer than any tried", "use 3.11 if packages fail to install")
    else:
        yield Finding("ok", f"Python {version}")


class Requirement(NamedTuple):
    """One line of the project's own metadata, such as `torch>=2.11,<2.14; extra == "train"`."""

    name: str
    bounds: str
    extra: str | None


def _packages() -> Iterator[Finding]:
    """Every package the project asks for. A missing optional one is a problem only when nothing runs without it."""
    try:
        lines = metadata.requires("editjudge") or []
    except metadata.PackageNotFoundError:
        yield Finding("problem", "editjudge itself is not installed", "run: pip install -e . in the checkout")
        return
    missing: dict[str, list[str]] = {}
    for requirement in dict.fromkeys(read_requirement(line) for line in lines):
        if requirement.name == "editjudge":
            continue
        finding = check_package(requirement, _version(requirement.name))
        if finding is None:
            missing.setdefault(str(requirement.extra), []).append(requirement.name)
        else:
            yield finding
    for extra, names in missing.items():
        advice = f"if you want it: pip install 'editjudge[{extra}]'"
        yield Finding("ok", f"extra {extra}: not installed: {', '.join(names)}", advice)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def read_requirement(line: str) -> Requirement:
    """Split a line of metadata. Markers other than `extra` are not used by this project."""
    specifier, _, marker = line.partition(";")
    name = re.match(r"[A-Za-z0-9._-]+", specifier.strip())
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
    if name is None:
        raise ValueError(f"not a requirement: {line!r}")
    bounds = re.sub(r"^\s*\[[^]]*\]|\s", "", specifier.strip()[name.end() :])
    return Requirement(name.group(), bounds, extra.group(1) if extra else None)


def check_package(requirement: Requirement, version: str | None) -> Finding | None:
    """What to say of a package; None when it is optional and not there."""
    name, bounds, extra = requirement
    target = "editjudge" if extra is None else f"editjudge[{extra}]"
    if version is None:
        return Finding("problem", f"{name} is not installed", f"pip install '{target}'") if extra is None else None
    if not in_range(version, bounds):
        return Finding("problem", f"{name} {version} is outside {bounds}", f"pip install '{target}'")
    return Finding("ok", f"{name} {version}{f' (extra {extra})' if extra else ''}")


def in_range(version: str, bounds: str) -> bool:
    """Whether a version is within bounds such as ">=2.11,<2.14". Pre-releases count as their release."""
    number = _numbers(version)
    compare = {
        ">=": lambda limit: number >= limit,
        "<=": lambda limit: number <= limit,
        "==": lambda limit: number == limit,
        "!=": lambda limit: number != limit,
        ">": lambda limit: number > limit,
        "<": lambda limit: number < limit,
    }
    for bound in filter(None, bounds.split(",")):
        operator = next((operator for operator in compare if bound.startswith(operator)), None)
        if operator is None:
            raise ValueError(f"unknown bound {bound!r}")
        if not compare[operator](_numbers(bound.removeprefix(operator))):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """Release numbers without trailing zeros: 2.13.0+cpu -> (2, 13), so that 2.13 and 2.13.0 are equal."""
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in release.group().split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _torchvision() -> Iterator[Finding]:
    """EditJudge never needs torchvision, but one that does not fit torch breaks the import of transformers."""
    torch, vision = _version("torch"), _version("torchvision")
    if torch is None:
        return
    if vision is None:
        yield Finding("ok", "torchvision is not installed; EditJudge does without")
    elif ("+cpu" in torch) != ("+cpu" in vision):
        yield Finding(
            "problem",
            f"torchvision {vision} was built for another torch than {torch}",
            "pip uninstall torchvision, or install both from the same index",
        )
    else:
        yield Finding("ok", f"torchvision {vision} (not needed)")


def _hardware() -> Iterator[Finding]:
    count, memory, gpus = cores(), memory_gb(), gpu_names()
    few = "two or more are needed for the quickstart's time"
    yield Finding("warning", f"{count} CPU core", few) if count < 2 else Finding("ok", f"{count} CPU cores")
    if memory < NEEDED_GB:
        yield Finding("warning", f"{memory} GB of memory", f"the quickstart may use {NEEDED_GB:g} GB")
    else:
        yield Finding("ok", f"{memory} GB of memory")
    if gpus:
        yield Finding("ok", f"GPU: {', '.join(gpus)}")
        yield from check_build(_version("torch"))
    else:
        yield Finding("warning", "no GPU answers nvidia-smi", "the quickstart needs none; models of 3B and more do")
    yield from _compiler(needed=importlib.util.find_spec("deepspeed") is not None)


def check_build(torch: str | None) -> Iterator[Finding]:
    """What to say of the installed torch on a machine with a GPU."""
    if torch is not None and torch.endswith("+cpu"):
        yield Finding(
            "problem",
            f"torch {torch} is a CPU build and does not use the GPU",
            "pip install --force-reinstall 'torch>=2.11,<2.14'",
        )


def _network() -> Iterator[Finding]:
    """Proxy settings that would stop a command when it first goes to the network."""
    try:
        check_network()
    except NetworkError as error:
        yield Finding("problem", str(error))


def _compiler(needed: bool) -> Iterator[Finding]:
    """DeepSpeed compiles its operators (on a CPU: communication) when they are first used."""
    tools = [tool for tool in ("c++", "g++", "clang++") if shutil.which(tool)]
    if tools:
        yield Finding("ok", f"C++ compiler: {tools[0]}")
    elif needed:
        yield Finding("warning", "no C++ compiler", "DeepSpeed compiles its operators; Debian: apt install g++")


def _disk(out: Path) -> Iterator[Finding]:
    folder = next(parent for parent in (out.absolute(), *out.absolute().parents) if parent.exists())
    if not folder.is_dir():
        yield Finding("problem", f"{folder} is a file", "choose another `out`")
        return
    free = shutil.disk_usage(folder).free / 2**30
    level: Level = "warning" if free < NEEDED_GB else "ok"
    yield Finding(
        level, f"{free:.1f} GB free in {folder}", f"the quickstart may use {NEEDED_GB:g} GB" if free < NEEDED_GB else ""
    )
    try:
        with tempfile.TemporaryFile(dir=folder) as handle:
            handle.write(b"x")
    except OSError as error:
        yield Finding("problem", f"{folder} cannot be written ({error.strerror})", "choose another `out`")
    else:
        yield Finding("ok", f"{folder} can be written")
