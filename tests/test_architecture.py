"""The tables of docs/architecture.md: the signatures they show are those of the code, and every module is in them
unless `editjudge ls` or `editjudge --help` names what it holds.

A table of modules is headed by its package in backticks. Its rows name modules relative to that package (`__init__` for
the package itself; a package stands for all that is below it). In the second column, `name(parameters)` is checked
against those modules; after a class, `.name(parameters)` is one of its methods.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from places import ROOT

from editjudge.cli.catalog import METRICS, TABLES
from editjudge.cli.commands import COMMANDS, load

PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("editjudge", "curation", "annotation", "sft", "eval")

CODE = re.compile(r"`([^`]+)`")
CALL = re.compile(r"(\.?)(\w+)\(([^()]*)\)")


class Row(NamedTuple):
    line: int
    package: str
    modules: list[str]
    """Dotted names."""
    text: str


def rows(page: str) -> Iterator[Row]:
    """The rows of the tables whose first column is headed by a package."""
    package = None
    for line, text in enumerate(page.splitlines(), start=1):
        cells = [cell.strip() for cell in text.split("|")[1:-1]] if text.startswith("|") else []
        head = CODE.fullmatch(cells[0]) if len(cells) == 2 else None
        if not cells:
            package = None
        elif package is None:
            package = head[1] if head and head[1].partition(".")[0] in PACKAGES else ""
        elif package and not cells[0].startswith("---"):
            names = CODE.findall(cells[0])
            yield Row(
                line, package, [package if name == "__init__" else f"{package}.{name}" for name in names], cells[1]
            )


def path_of(module: str) -> Path:
    """The file of a module, or the folder's `__init__.py`."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def definitions(module: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    path = path_of(module)
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


def parameters(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The names a call may give, in order; of a class, those of `__init__` or its fields."""
    if isinstance(node, ast.ClassDef):
        made = methods(node).get("__init__")
        if made is not None:
            return parameters(made)
        return [
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        ]
    names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def is_property(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any("property" in ast.unparse(mark) for mark in node.decorator_list)


def problems(row: Row) -> Iterator[str]:
    """What a row says that the code does not."""
    known = {name: node for module in row.modules for name, node in definitions(module).items()}
    owned = {
        name: node
        for found in known.values()
        if isinstance(found, ast.ClassDef)
        for name, node in methods(found).items()
    }
    for code in CODE.findall(row.text):
        call = CALL.fullmatch(code)
        if call is None:
            continue
        name, given = call[2], [part.strip() for part in call[3].split(",") if part.strip()]
        node = (owned if call[1] else known).get(name)
        if node is None or is_property(node):
            yield f"line {row.line}: `{code}` is not in {', '.join(row.modules)}"
            continue
        open_end = given[-1:] == ["..."]
        wanted = given[:-1] if open_end else given
        actual = parameters(node)
        if actual[: len(wanted)] != wanted:
            yield f"line {row.line}: `{code}`, but its parameters are ({', '.join(actual)})"


def modules() -> list[str]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            if not is_package or ast.parse(path.read_text(encoding="utf-8")).body[1:]:  # more than a docstring
                found.append(".".join(parts[:-1] if is_package else parts))
    return [name for name in found if name not in PACKAGES]


def listed() -> set[str]:
    """Modules of what recipes and command lines name: `editjudge ls` and `editjudge --help` say what they are."""
    targets = [target for table in (*TABLES.values(), METRICS) for target in load(table).values()]
    return {target.partition(":")[0] for target in (*targets, *(command.target for command in COMMANDS.values()))}


def covered(module: str, named: set[str]) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:length]) in named for length in range(2, len(parts) + 1))


PAGE_ROWS = list(rows(PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("row", PAGE_ROWS, ids=lambda row: str(row.line))
def test_a_row_says_what_the_code_has(row):
    assert row.modules, f"line {row.line} names no module"
    assert [name for name in row.modules if not path_of(name).is_file()] == []
    assert list(problems(row)) == []


def test_every_module_is_in_a_table():
    named = {(row.package, module) for row in PAGE_ROWS for module in row.modules}
    packages = {module for package, module in named if package == module}  # rows `__init__`: of that file alone
    whole = {module for package, module in named if package != module}
    missing = [name for name in modules() if name not in packages | listed() and not covered(name, whole)]
    assert missing == [], "name them in a table of docs/architecture.md"


PAGE_OF_MISTAKES = """
| `editjudge.files` | what it offers |
|---|---|
| `io` | `derive_seed(seeds)`, `no_such(path)`, `write_json(path, ...)`, `write_json(path, text)` |
| `gone` | nothing |

| key | what it is |
|---|---|
| `io` | `no_such(path)` |
"""


def test_mistakes_of_a_page_are_found():
    first, second = rows(PAGE_OF_MISTAKES)
    assert [problem.partition("`")[2].partition("`")[0] for problem in problems(first)] == [
        "derive_seed(seeds)",
        "no_such(path)",
        "write_json(path, text)",
    ]
    assert second.modules == ["editjudge.files.gone"]
    assert not path_of("editjudge.files.gone").is_file()
    assert covered("eval.metrics.pairs", {"eval.metrics"})
    assert not covered("eval.metrics.pairs", {"eval.labels", "eval"})
