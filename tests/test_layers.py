"""Who may import whom. The files are read, not run, so imports inside functions count too."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

from editjudge.statistics.graphs import circles

APPLICATIONS = ("curation", "annotation", "sft", "eval")

PACKAGES = ("editjudge", *APPLICATIONS)

# The rooms of a package, from the lowest: a module may import from its own room and from those before it. A room is a
# folder of the package, or a module that lies beside the folders.
ROOMS = {
    "editjudge": (
        *("errors", "files", "system", "records", "statistics", "recipes", "images", "prompts", "formats", "families"),
        *("engines", "editors", "training", "asking", "cli", "__main__"),
    ),
    "curation": ("stage", "judging", "synthetic", "editing", "filters", "export", "recipe", "runner"),
    "eval": (
        *("labels", "metrics", "benchmarks", "evaluations", "external", "probes", "human", "results", "report"),
        *("recipe", "inputs", "terminal", "checkpoints", "run", "sweep", "compare"),
    ),
    "sft": (
        *("model_settings", "settings", "deepspeed_config", "recipe", "model", "check", "identity", "data", "prepare"),
        *("callbacks", "trainer", "train", "tiny"),
    ),
    "annotation": ("recipe", "rankings", "campaign", "page", "label_studio", "agreement", "steps", "main"),
}

MODULES_PER_FOLDER = 15

HEAVY = {
    *("torch", "torchvision", "transformers", "trl", "peft", "deepspeed", "accelerate", "datasets", "safetensors"),
    *("tokenizers", "diffusers", "vllm", "openai", "ray", "label_studio_sdk", "wandb", "skimage", "sklearn"),
    *("matplotlib", "webdataset", "pandas", "pyarrow", "fastapi", "uvicorn", "httpx", "editscore"),
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def names(node: ast.AST) -> list[str]:
    """The dotted names an import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every import of a file, wherever it stands, with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        for name in names(node):
            yield name, node.lineno


def imports_when_loaded(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The imports that happen when the module is imported: not those in functions, nor for type checkers."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for name in names(node):
            yield name, node.lineno
        is_typing = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for field in ("body", "orelse", "finalbody", "handlers"):
            if not (is_typing and field == "body"):
                yield from imports_when_loaded(getattr(node, field, []))


def where(path: Path, line: int, name: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} imports {name}"


def test_the_ground_floor_imports_no_application():
    bad = [
        where(path, line, name)
        for path in files("editjudge")
        for name, line in imports(path)
        if name.partition(".")[0] in APPLICATIONS
    ]
    assert bad == []


@pytest.mark.parametrize("package", APPLICATIONS)
def test_applications_do_not_import_each_other(package):
    others = {*APPLICATIONS} - {package}
    bad = [
        where(path, line, name)
        for path in files(package)
        for name, line in imports(path)
        if name.partition(".")[0] in others
    ]
    assert bad == []


@pytest.mark.parametrize("package", PACKAGES)
def test_heavy_packages_are_imported_where_they_are_used(package):
    bad = [
        where(path, line, name)
        for path in files(package)
        for name, line in imports_when_loaded(ast.parse(path.read_text()).body)
        if name.partition(".")[0] in HEAVY
    ]
    assert bad == []


def level(module: str) -> int:
    """The place in ROOMS of the room that a module `package.room` or `package.room.x` belongs to."""
    package, room = module.split(".")[:2]
    assert room in ROOMS[package], f"{module} is in a new room: give it its place in ROOMS"
    return ROOMS[package].index(room)


def dotted(path: Path) -> str:
    """`package.room.x` of a module's file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def inner_imports(package: str) -> Iterator[tuple[Path, int, str, str]]:
    """(file, line, importing module, imported module) within a package."""
    modules = {dotted(path) for path in files(package)}
    for path in files(package):
        source = dotted(path)
        for name, line in imports(path):
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules - {package} and source != package:
                yield path, line, source, target


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_keep_their_order(package):
    bad = [
        where(path, line, target)
        for path, line, source, target in inner_imports(package)
        if level(source) < level(target)
    ]
    assert bad == []


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_do_not_import_in_circles(package):
    assert circles((source, target) for _, _, source, target in inner_imports(package)) == ()


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_hold_few_modules(package):
    folders = Counter(str(path.parent.relative_to(ROOT)) for path in files(package) if path.name != "__init__.py")
    assert {folder: count for folder, count in folders.items() if count > MODULES_PER_FOLDER} == {}


def opens_text(node: ast.AST) -> bool:
    """Whether this opens a file as text without saying in which encoding, so that the machine's locale decides."""
    if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    if name in ("read_text", "write_text"):
        return True
    if name not in ("open", "fdopen") or (name == "open" and owner in ("os", "Image", "tarfile")):
        return False
    values = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    modes = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    return not any("b" in mode for mode in modes)


@pytest.mark.parametrize("package", PACKAGES)
def test_text_files_have_an_encoding(package):
    bad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if opens_text(node)
    ]
    assert bad == []


def test_a_text_file_without_encoding_is_found():
    bad = ["open(path)", "path.open('w')", "path.read_text()", "path.write_text(text)", "os.fdopen(1, 'w')"]
    good = ["open(path, 'rb')", "path.open('w', encoding='utf-8')", "path.read_bytes()", "Image.open(path)"]
    assert [opens_text(ast.parse(line, mode="eval").body) for line in [*bad, *good]] == [True] * 5 + [False] * 4
