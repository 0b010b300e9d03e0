"""What a recipe file says: YAML, `extends:` and command-line overrides, merged into one plain mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from editjudge.errors import RecipeError
from editjudge.text import valid_text


def resolve(path: Path, overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The merged mapping of a recipe with its overrides applied, and what is wrong with the overrides.

    `RecipeError` when the file, or one that it extends, cannot be read at all.
    """
    data = _read(path, ())
    problems = [problem for override in overrides if (problem := _override(data, override))]
    return data, problems


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with three changes of YAML 1.2: 1e-4 is a number, yes/no/on/off and dates are text."""


_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")
_FLOAT = re.compile(
    r"(?![-+]?[0-9]+\Z)[-+]?((\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))\Z|\.(nan|NaN|NAN)\Z"
)
_DROPPED = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _DROPPED]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, [*"tTfF"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, [*"-+.0123456789"])


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """PyYAML silently keeps the last of two equal keys; here that is a mistake."""
    seen = set()
    for key_node, _ in node.value:
        if key_node.value in seen and isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem=f"key `{key_node.value}` stands twice", problem_mark=key_node.start_mark)
        if isinstance(key_node, yaml.ScalarNode):
            seen.add(key_node.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def _valid_string(loader: _Loader, node: yaml.ScalarNode) -> str:
    """Escapes can say NUL and half of a surrogate pair, which no path, page or tokenizer takes."""
    value = loader.construct_scalar(node)
    if valid_text(value) != value:
        raise yaml.MarkedYAMLError(problem=f"{value!r} is not valid Unicode text", problem_mark=node.start_mark)
    return value


_Loader.add_constructor("tag:yaml.org,2002:str", _valid_string)


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # safe: built on SafeLoader


def _read(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    """A recipe merged onto those that it extends. `chain`: the files that led here."""
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
    data = {key: _unshared(value) for key, value in data.items()}
    if "extends" not in data:
        return data
    base = data.pop("extends")
    if not isinstance(base, str):
        raise RecipeError(str(path), [f"extends: needs the name of one file, got {show(base)}"])
    return _merge(_read(path.parent / base, (*chain, path.resolve())), data)


def _unshared(value: Any) -> Any:
    """A copy in which a YAML alias is a value of its own, so that an override reaches one place only."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _syntax_problem(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"not valid YAML: {error}"
    mark = error.problem_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML: {error.problem or error.context}"


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key; all else is replaced, and so is a block whose `use:` names something else."""
    merged = dict(base)
    for key, value in top.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("use", old.get("use")) == old.get("use"):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _override(data: dict[str, Any], override: str) -> str | None:
    """Set one value in place, making mappings on the way; returns the problem if there is one."""
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
    """A value as shown in messages, shortened."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
