"""Reading recipe files: YAML, `extends:` and command-line overrides, merged into one plain mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from editjudge.errors import RecipeError
from editjudge.files.paths import expand
from editjudge.files.text import valid_text


def resolve(path: Path, overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the merged mapping of a recipe with its overrides, and the problems of the overrides.

    Raises `RecipeError` when the file, or one that it extends, cannot be read.
    """
    data = _read(path, ())
    problems = [problem for override in overrides if (problem := _override(data, override))]
    return data, problems


class Written(str):
    """Text of a recipe with the folder of its file, where paths are also searched."""

    __slots__ = ("folder",)

    folder: Path

    def __new__(cls, text: str, folder: Path) -> Written:
        made = super().__new__(cls, text)
        made.folder = folder
        return made

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class _Loader(yaml.SafeLoader):
    """Reads plain scalars by the core schema of YAML 1.2, section 10.3.2; PyYAML itself uses YAML 1.1."""


class _Dumper(yaml.SafeDumper):
    """Quotes strings that either version of YAML would read as another type."""


_CORE = (
    ("bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("int", re.compile(r"([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), "-+0123456789"),
    (
        "float",
        re.compile(
            r"(?![-+]?[0-9]+\Z)"
            r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
        ),
        "-+.0123456789",
    ),
)
_PATTERNS = {kind: pattern for kind, pattern, _ in _CORE}
_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag in _KEPT]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _pattern, [*_first])
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _pattern, [*_first])


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = _scalar(loader, node, "int", "a whole number")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        return int(text[2:] if base != 10 else text, base)
    except ValueError as error:  # Python does not parse decimal numbers beyond 4300 digits
        problem = f"a number of {len(text)} digits"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = _scalar(loader, node, "float", "a number").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _scalar(loader: _Loader, node: yaml.ScalarNode, kind: str, words: str) -> str:
    """Return the text of a number; an explicit tag such as `!!int` may precede any text."""
    text = loader.construct_scalar(node)
    whole = _PATTERNS["int"].match(text) is not None
    if not whole and (kind == "int" or _PATTERNS["float"].match(text) is None):
        raise yaml.MarkedYAMLError(problem=f"{text!r} is not {words}", problem_mark=node.start_mark)
    return text


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Refuse duplicate keys; PyYAML silently keeps the last one."""
    seen = set()
    for key_node, _ in node.value:
        if key_node.value in seen and isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(
                problem=f"key `{key_node.value}` is written twice", problem_mark=key_node.start_mark
            )
        if isinstance(key_node, yaml.ScalarNode):
            seen.add(key_node.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def _valid_string(loader: _Loader, node: yaml.ScalarNode) -> str:
    """Refuse escapes of NUL and half surrogate pairs, which no path, page or tokenizer accepts."""
    value = loader.construct_scalar(node)
    if valid_text(value) != value:
        raise yaml.MarkedYAMLError(problem=f"{value!r} is not valid Unicode text", problem_mark=node.start_mark)
    return value


_Loader.add_constructor("tag:yaml.org,2002:str", _valid_string)


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # safe: derived from SafeLoader


def _read(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    """Return a recipe merged onto those that it extends. `chain`: the files that led here."""
    if path.resolve() in chain:
        files = " -> ".join(item.name for item in (*chain, path))
        raise RecipeError(str(path), [f"extends: recipes extend each other in a circle: {files}"])
    try:
        data = _parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        led = f" (extended by {chain[-1]})" if chain else ""
        raise RecipeError(str(path), [f"cannot be read: {error.strerror}{led}; check the path"]) from error
    except UnicodeDecodeError as error:
        raise RecipeError(str(path), [f"is not UTF-8 text ({error}); save it as UTF-8"]) from error
    except yaml.YAMLError as error:
        raise RecipeError(str(path), [_syntax_problem(error)]) from error
    if not isinstance(data, dict):
        raise RecipeError(str(path), [f"a recipe is a mapping of keys to values, this is {show(data)}"])
    data = {key: _written(value, path.absolute().parent) for key, value in data.items()}
    if "extends" not in data:
        return data
    base = data.pop("extends")
    if not isinstance(base, str):
        raise RecipeError(str(path), [f"extends: needs the name of one file, got {show(base)}"])
    try:
        extended = path.parent / expand(base)
    except ValueError as error:
        raise RecipeError(str(path), [f"extends: {error}"]) from error
    return _merge(_read(extended, (*chain, path.resolve())), data)


def _written(value: Any, folder: Path) -> Any:
    """Return a copy in which text has its folder, and aliases are separate: an override changes one place only."""
    if isinstance(value, dict):
        return {key: _written(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item, folder) for item in value]
    return Written(value, folder) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Return a copy without `Written`, for values that are passed to a library."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Written) else value


def dump_yaml(value: object) -> str:
    """Return YAML that reads as `value` again."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _syntax_problem(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"not valid YAML: {error}"
    mark = error.problem_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML: {error.problem or error.context}"


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key; other values are replaced, and so is a block whose `use:` differs."""
    merged = dict(base)
    for key, value in top.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("use", old.get("use")) == old.get("use"):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _override(data: dict[str, Any], override: str) -> str | None:
    """Set one value in place, creating mappings as needed; return the problem if there is one."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        return f"override {override!r}: write it as key.path=value"
    try:
        value = _parse_yaml(text)
    except yaml.YAMLError as error:
        return f"override {override!r}: the value is {_syntax_problem(error)}"
    here: Any = data
    parts = dotted.split(".")
    for depth, part in enumerate(parts, start=1):
        last, where = depth == len(parts), ".".join(parts[: depth - 1])
        if isinstance(here, dict):
            if last:
                here[part] = value
            elif here.get(part) is None:
                here[part] = {}
            here = here[part]
        elif isinstance(here, list):
            if not part.isdecimal() or int(part) >= len(here):
                return f"override {override!r}: `{where}` is a list of {len(here)}; use an index below that"
            if last:
                here[int(part)] = value
            here = here[int(part)]
        else:
            return f"override {override!r}: `{where}` holds {show(here)}, which has no `{part}`"
    return None


def show(value: object) -> str:
    """Return a shortened value for messages."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
