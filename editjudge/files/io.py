"""Files: digests, seeds, atomic writes, JSON and JSONL, completion markers.

A file that exists under its final name is complete: see `files.storage`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from editjudge.errors import DataError, StaleOutputError
from editjudge.files.identity import identity_values
from editjudge.files.json_text import json_rows, open_file, parse_json
from editjudge.files.storage import replacing, storage_errors

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")


class Marker(TypedDict):
    """The content of a completion marker."""

    identity: dict[str, Any]
    """Everything that can change a byte of the finished work."""
    info: dict[str, Any]
    """Further information: counts, seconds. Never compared."""


def digest(*parts: object) -> str:
    """Return 20 hex digits of SHA-256 over the canonical JSON of `parts`.

    Records, mappings, sequences and plain values are allowed; of a record, options at their neutral value are left out
    (see `identity.Neutral`). Raises `ValueError` for NaN and infinities, `TypeError` for values that JSON cannot
    represent.
    """
    return _sha256(parts).hexdigest()[:20]


def derive_seed(seed: int, *keys: object) -> int:
    """Return a seed of 0 to 2**31 - 1 that depends only on the arguments."""
    return int.from_bytes(_sha256(("seed", seed, *keys)).digest()[:4], "big") >> 1


def rng(seed: int, *keys: object) -> np.random.Generator:
    """Return a generator whose stream depends only on the arguments."""
    import numpy as np

    return np.random.default_rng(int.from_bytes(_sha256(("rng", seed, *keys)).digest()[:16], "big"))


def atomic_write(path: str | Path, data: bytes | str, sync: bool = True) -> None:
    """Write a file completely or not at all, and create its folder. Text is UTF-8. `StorageError` if it fails.

    Without `sync` this is true when the process is killed, but not after a power failure before `sync_files`.
    """
    content = data.encode() if isinstance(data, str) else data
    with replacing(Path(path), sync) as handle, storage_errors(Path(path)):
        handle.write(content)


def read_json(path: str | Path, keep_surrogates: bool = False) -> Any:
    """Read the value in a JSON file with `json_text.parse_json`. Raises `DataError` when it is missing or not JSON."""
    try:
        return parse_json(_read_bytes(Path(path)), keep_surrogates=keep_surrogates)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}); make the file again") from error


def write_json(path: str | Path, value: object) -> None:
    """Write a value, records allowed, as indented JSON. Raises `DataError` for NaN and infinities."""
    try:
        text = dump_json(value)
    except ValueError as error:
        raise DataError(f"{path}: cannot be written as JSON: {error}") from error
    atomic_write(path, text + "\n")


def dump_json(value: object, ascii_only: bool = False) -> str:
    """Return a value, records allowed, as indented JSON. Raises `ValueError` for NaN and infinities."""
    return json.dumps(value, indent=2, ensure_ascii=ascii_only, allow_nan=False, default=_plain)


def read_jsonl(path: str | Path, record_type: type[T]) -> Iterator[T]:
    """Yield the rows of a JSONL file, in order. Blank lines are skipped; an array and rows over several lines work too.

    Raises `DataError` naming file and line for a row that is not JSON or not a `record_type`.
    """
    adapter = TypeAdapter(record_type)
    path = Path(path)
    for row in json_rows(path):
        try:
            value = adapter.validate_python(parse_json(row.text))
        except ValidationError as error:
            name = getattr(record_type, "__name__", str(record_type))
            raise DataError(f"{row.at(path)}: not a valid {name}: {_first_problem(error)}") from error
        except ValueError as error:
            raise DataError(f"{row.at(path)}: not valid JSON ({error}); one JSON object per line is needed") from None
        yield value


def first_row_has(path: str | Path, key: str) -> bool:
    """Return whether the first row of a JSONL file has a key, to tell apart two record types; all rows are of one type.

    Returns False for a file that cannot be read: reading its rows reports the problem with the line.
    """
    try:
        return key in next((row for _, row in read_objects(path)), ())
    except DataError:
        return False


def read_objects(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON array or JSONL file, with their place for messages. Raises `DataError` otherwise."""
    path = Path(path)
    for row in json_rows(path):
        try:
            value = parse_json(row.text)
        except ValueError as error:
            raise DataError(f"{row.at(path)}: not valid JSON ({error}); make the file again") from None
        if not isinstance(value, dict):
            raise DataError(f"{row.at(path)}: not an object with columns but {str(value)[:60]!r}")
        yield row.at(path), value


def write_jsonl(path: str | Path, rows: Iterable[BaseModel | Mapping[str, Any]]) -> int:
    """Write one row per line and return their number. Rows are consumed one by one.

    When `rows` raises, the error passes through and no file is left. Raises `DataError` for NaN and infinities.
    """
    count = 0
    with jsonl_writer(path) as write:
        for row in rows:
            write(row)
            count += 1
    return count


@contextmanager
def jsonl_writer(path: str | Path) -> Iterator[Callable[[BaseModel | Mapping[str, Any]], None]]:
    """Yield a function that writes a row. The file appears when the block ends without an error.

    The function raises `DataError` for NaN and infinities.
    """
    path, count = Path(path), 0
    with replacing(path) as handle:

        def write(row: BaseModel | Mapping[str, Any]) -> None:
            nonlocal count
            count += 1
            try:
                line = json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain)
            except ValueError as error:
                raise DataError(f"{path}:{count}: row cannot be written as JSON: {error}") from error
            with storage_errors(path):
                handle.write(line.encode() + b"\n")

        yield write


def read_marker(path: str | Path) -> Marker | None:
    """Return the marker in a file; None when there is none or it is incomplete."""
    try:
        value = json.loads(_read_bytes(Path(path)))
    except (DataError, ValueError):
        return None
    if not (isinstance(value, dict) and all(isinstance(value.get(key), dict) for key in ("identity", "info"))):
        return None
    return Marker(identity=value["identity"], info=value["info"])


def write_marker(path: str | Path, identity: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    """Mark a piece of work as complete. Write the marker last."""
    write_json(path, {"identity": identity, "info": info})


def is_marked(path: str | Path, identity: Mapping[str, Any]) -> bool:
    """Return whether a marker has this identity, for work that is cheap to regenerate."""
    marker = read_marker(path)
    return marker is not None and not any(_changes("", marker["identity"], json.loads(_canonical(identity))))


def is_done(path: str | Path, identity: Mapping[str, Any]) -> bool:
    """Return whether the work of this marker is complete and has the same identity.

    Raises `StaleOutputError` naming every changed key when the identity differs.
    """
    marker = read_marker(path)
    if marker is None:
        return False
    changes = list(_changes("", marker["identity"], json.loads(_canonical(identity))))
    if changes:
        lines = "\n".join(f"  {change}" for change in changes)
        raise StaleOutputError(
            f"{path}: made with other parameters (old -> new):\n{lines}\n"
            f"Remove the folder {Path(path).parent} to make it again, or choose another `out`."
        )
    return True


def _sha256(parts: tuple[object, ...]) -> hashlib._Hash:
    return hashlib.sha256(_canonical(parts).encode())


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_identifying)


def _identifying(value: object) -> object:
    return identity_values(value) if isinstance(value, BaseModel) else _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")


_ABSENT = object()


def _changes(path: str, old: object, new: object) -> Iterator[str]:
    """Yield the leaves in which two JSON values differ, as `params.px: 256 -> 512`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _changes(f"{path}.{key}" if path else key, old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(f"{path}.{index}", *pair)
    elif type(old) is not type(new) or old != new:
        yield f"{path}: {_show(old)} -> {_show(new)}"


def _show(value: object) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    seen = repr(first["input"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where + ': ' if where else ''}{first['msg']}, got {seen if len(seen) <= 80 else seen[:77] + '...'}{more}"


def _read_bytes(path: Path) -> bytes:
    with open_file(path) as handle:
        return handle.read()
