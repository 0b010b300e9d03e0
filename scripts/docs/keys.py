"""Describe the keys of a recipe's models: type, bounds, default, and attribute docstring."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from editjudge.files.paths import Located
from editjudge.recipes.recipe_use import Use

WORDS = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "string",
    Path: "path",
    type(None): "`null`",
    Any: "any value",
}
"""Types that a recipe writes without a block."""

PATHS = {"input": "input path", "output": "output path", "name": "folder or hub name"}
"""Path types by `Located.kind`."""

UNITS = {"px": "pixels", "s": "seconds", "mb": "megabytes", "pixels": "pixels", "tokens": "tokens"}
"""Units by the last word of a key's name."""

COMPARED = ((Ge, "≥", "ge"), (Gt, ">", "gt"), (Le, "≤", "le"), (Lt, "<", "lt"))

LinkTo = Callable[[object], str]
"""Returns the name of a `Use` or a model in a type, as a Markdown link."""


class Key(NamedTuple):
    """One key of a block."""

    name: str
    kind: str
    """Its type in words."""
    bounds: str
    default: str
    """JSON in backticks; "" for a required key, and where the default is a block with its own defaults."""
    required: bool
    text: str
    """The docstring; "" when the field has none."""
    block: type[BaseModel] | None
    """Model of a block that is written in place, without `use:`."""
    many: str
    """Suffix of the block's path: ".N" in a list, ".NAME" in a mapping, "" alone."""


def keys_of(model: type[BaseModel], link: LinkTo) -> Iterator[Key]:
    """Yield the keys of a block in the order of the class, without `use`, which is the block's name."""
    texts = docstrings(model)
    for name, field in model.model_fields.items():
        if name == "use" and get_origin(field.annotation) is Literal:
            continue
        block, many = (None, "") if _first(field.metadata, Use) else block_of(field.annotation)
        unit = UNITS.get(name.rpartition("_")[2], "")
        kind = _type(field.annotation, field.metadata, link)
        yield Key(
            name,
            f"{kind}, in {unit}" if unit and ("integer" in kind or "number" in kind) else kind,
            _bounds(field.metadata, field.annotation),
            _default(field),
            field.is_required(),
            texts.get(name, ""),
            block,
            many,
        )


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return field -> attribute docstring, from the source of the class and its bases."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)
        body = definition.body
        for node, below in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = _string(below) or found.get(node.target.id, "")
    return found


def block_of(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """Return the model in a field, alone, in a list or in a mapping, and the suffix of its path."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return (None, "") if _first(marks, Use) else block_of(inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin = get_origin(annotation)
    step = ".N" if origin is tuple else ".NAME" if origin is dict else ""
    for part in get_args(annotation):
        model, rest = block_of(part)
        if model is not None:
            return model, step + rest
    return None, ""


def _string(node: ast.stmt | None) -> str:
    """Return the text of a statement that is a string, else ""."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return inspect.cleandoc(node.value.value) if is_text else ""  # type: ignore[union-attr]


def _first(marks: Iterable[object], kind: type) -> Any:
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def _type(annotation: Any, marks: Iterable[object], link: LinkTo) -> str:
    """Describe a type in words. `marks`: the arguments of `Annotated`."""
    marks = [*marks]
    if (use := _first(marks, Use)) is not None:
        return link(use)
    if (located := _first(marks, Located)) is not None:
        return PATHS[located.kind]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(parts[0], parts[1:], link)
    if origin in (Union, types.UnionType):
        written = [part for part in parts if get_origin(part) is not Callable]  # for Python callers only
        return _either(_type(part, (), link) for part in sorted(written, key=lambda part: part is type(None)))
    if origin is Literal:
        return _either(f"`{value}`" for value in parts)
    if origin is tuple:
        return _list(parts, link)
    if origin is dict:
        return f"mapping from names to {_plural(_type(parts[1], (), link))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return link(annotation)
    return WORDS[annotation]


def _annotated(inner: Any, marks: Iterable[object], link: LinkTo) -> str:
    marks = [part for mark in marks for part in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    bounds = _bounds(marks, inner)
    return _type(inner, marks, link) + (f" ({bounds})" if bounds else "")


def _list(parts: tuple[Any, ...], link: LinkTo) -> str:
    if parts[1:] == (Ellipsis,):
        return f"list of {_plural(_type(parts[0], (), link))}"
    return f"list of {len(parts)}: {', '.join(_type(part, (), link) for part in parts)}"


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _plural(words: str) -> str:
    """Change `integer` to `integers`, also in links; other phrases do not change."""
    if words.startswith("["):
        return words.replace("](", "s](", 1)
    head, space, rest = words.partition(" (")
    known = head in ("integer", "number", "string", "path", *PATHS.values())
    return f"{head}s{space}{rest}" if known else words


def _bounds(marks: Iterable[object], annotation: object) -> str:
    found = [
        f"{sign} {_number(getattr(mark, name))}"
        for mark in marks
        for kind, sign, name in COMPARED
        if isinstance(mark, kind)
    ]
    unit = "characters" if _holds_text(annotation) else "entries"
    for kind, words, name in ((MinLen, "at least", "min_length"), (MaxLen, "at most", "max_length")):
        length = _first(marks, kind)
        if length is not None:
            count = getattr(length, name)
            found.append(f"{words} {count} {unit if count != 1 else unit.replace('ies', 'y').removesuffix('s')}")
    found += [f"matches `{pattern}`" for mark in marks if (pattern := getattr(mark, "pattern", None))]
    return ", ".join(found)


def _holds_text(annotation: object) -> bool:
    return annotation is str or (str in get_args(annotation) and get_origin(annotation) not in (tuple, dict))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "" if value == type(value)() else f"`{json.dumps(value.model_dump(mode='json'))}`"
    return f"`{json.dumps(to_jsonable_python(value), ensure_ascii=False)}`"
