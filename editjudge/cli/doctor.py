"""`editjudge doctor`: check whether this machine is ready. Packages are looked up, not imported."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from packaging.requirements import Requirement

from editjudge.cli.options import add_json, json_results
from editjudge.errors import NetworkError
from editjudge.files.paths import user_path
from editjudge.system.network import check_network
from editjudge.system.provenance import cores, gpu_names, memory_gb

Level = Literal["ok", "warning", "problem"]
LEVELS: tuple[Level, ...] = get_args(Level)

NEEDED_GB = 6.0
"""Memory and free disk space that the quickstart may need, in GiB."""


class Finding(NamedTuple):
    """One line of the report."""

    level: Level
    text: str
    advice: str = ""
    """What to do; "" when nothing is wrong."""


def main(argv: list[str]) -> int:
    """Print every finding; return 1 when one of them is a problem."""
    parser = argparse.ArgumentParser(prog="editjudge doctor", description="Is this machine ready?")
    parser.add_argument(
        "out",
        metavar="OUT",
        type=user_path,
        nargs="?",
        default="runs",
        help="folder that runs will write to (default: %(default)s)",
    )
    add_json(parser)
    arguments = parser.parse_args(argv)
    with json_results(arguments.json) as write:
        counts = _report(arguments.out, write)
    return 1 if counts["problem"] else 0


def _report(out: Path, write: Callable[[object], None]) -> dict[Level, int]:
    """Print and write every finding; return their number per level."""
    findings = [*_python(), *_packages(), *_torchvision(), *_hardware(), *_network(), *_disk(out)]
    for finding in findings:
        print(f"{finding.level:<8} {finding.text}{'; ' + finding.advice if finding.advice else ''}")
    counts: dict[Level, int] = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    print(f"{counts['problem']} problem(s), {counts['warning']} warning(s)")
    write({"findings": [finding._asdict() for finding in findings], "counts": counts})
    return counts


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info >= (3, 14):  # older than 3.10 cannot even import this file
        yield Finding("warning", f"Python {version} is newer than any tried", "use 3.11 if packages fail to install")
    else:
        yield Finding("ok", f"Python {version}")


def _packages() -> Iterator[Finding]:
    """Check every required package. A missing optional one is a problem only when nothing runs without it."""
    try:
        lines = metadata.requires("editjudge") or []
        extras = metadata.metadata("editjudge").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        yield Finding("problem", "editjudge itself is not installed", "run: pip install -e . in the checkout")
        return
    missing: dict[str, list[str]] = {}
    for requirement in dict.fromkeys(Requirement(line) for line in lines):
        applies, extra = needed_by(requirement, extras)
        if not applies or requirement.name == "editjudge":
            continue
        finding = check_package(requirement, extra, _version(requirement.name))
        if finding is None:
            missing.setdefault(str(extra), []).append(requirement.name)
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


def needed_by(requirement: Requirement, extras: Iterable[str]) -> tuple[bool, str | None]:
    """Return whether a requirement applies to this machine, and its extra; None: required by every installation."""
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return True, None
    extra = next((name for name in extras if requirement.marker.evaluate({"extra": name})), None)
    return extra is not None, extra


def check_package(requirement: Requirement, extra: str | None, version: str | None) -> Finding | None:
    """Return the finding about a package; None when it is optional and missing.

    Pre-releases are in range only when the bounds name one (PEP 440).
    """
    name, bounds = requirement.name, requirement.specifier
    target = "editjudge" if extra is None else f"editjudge[{extra}]"
    if version is None:
        return Finding("problem", f"{name} is not installed", f"pip install '{target}'") if extra is None else None
    if not bounds.contains(version, prereleases=bool(bounds.prereleases)):
        return Finding("problem", f"{name} {version} is outside {bounds}", f"pip install '{target}'")
    return Finding("ok", f"{name} {version}{f' (extra {extra})' if extra else ''}")


def _torchvision() -> Iterator[Finding]:
    """Check torchvision: never needed, but one that does not match torch breaks the import of transformers."""
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
    """Check the installed torch on a machine with a GPU."""
    if torch is not None and torch.endswith("+cpu"):
        yield Finding(
            "problem",
            f"torch {torch} is a CPU build and does not use the GPU",
            "pip install --force-reinstall 'torch>=2.11,<2.14'",
        )


def _network() -> Iterator[Finding]:
    """Check for proxy settings that would fail on the first network access."""
    try:
        check_network()
    except NetworkError as error:
        yield Finding("problem", str(error))


def _compiler(needed: bool) -> Iterator[Finding]:
    """Check for a compiler: DeepSpeed compiles its operators (on a CPU: communication) on first use."""
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
