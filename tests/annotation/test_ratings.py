"""Rating tables, against every number that ImagenHub printed for them (tests/data/imagenhub)."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from places import DATA

from annotation.agreement.ratings import measure_ratings, printed
from editjudge.errors import DataError
from editjudge.formats.rating_tables import read_ratings

FOLDER = DATA / "imagenhub"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())["Text-Guided_IE"]
FILES = sorted((FOLDER / "Text-Guided_IE").glob("*.tsv"))


@pytest.fixture(scope="module")
def found():
    return measure_ratings([read_ratings(path) for path in FILES], rounds=20).as_json()


@pytest.mark.parametrize("model", EXPECTED)
@pytest.mark.parametrize("scale", ["SC", "PR", "HumanEval"])
def test_every_published_number_is_reproduced(model, scale, found):
    wanted = {key: value for key, value in EXPECTED[model].items() if scale in key}
    assert {key: found["models"][model]["printed"][key] for key in wanted} == wanted
    assert len(wanted) >= 4


def test_no_published_number_is_left_out(found):
    names = {"SC", "PR", "HumanEval"}
    assert all(any(name in key for name in names) for numbers in EXPECTED.values() for key in numbers)
    assert (found["n_raters"], found["n_images"], set(found["models"])) == (3, 179, set(EXPECTED))
    assert sum(map(len, EXPECTED.values())) == 9 * 17 - 2  # alpha of the two constant columns is not published


def test_a_constant_column_is_undefined_with_a_reason(found):
    imagic = found["models"]["Imagic"]
    for name in ("fleiss_kappa", "krippendorff_alpha"):
        assert imagic["SC"][name] == {
            "value": None,
            "low": None,
            "high": None,
            "n": 179,
            "why": "every rating is the same value",
        }
    assert (imagic["printed"]["kappa.SC"], imagic["printed"]["alpha.SC"]) == ("nan", "nan")


def test_intervals_hold_the_value(found):
    alpha = found["models"]["MagicBrush"]["SC"]["krippendorff_alpha"]
    assert 0.5 < alpha["low"] < alpha["value"] < alpha["high"] < 0.8


def table(tmp_path: Path, text: str | bytes, name: str = "a.tsv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("cell", ["[0,1]", " [ 0 , 1 ] ", "[0.0,1.0]", "[0 ,1.]", "[ 0,\u00a01]"])
def test_spacing_is_loose(cell, tmp_path):
    read = read_ratings(table(tmp_path, f"\ufeffuid\tA\r\nx\t{cell}\r\n\r\n"))
    assert read.values.tolist() == [[[0.0, 1.0]]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"a\.tsv: empty"),
        ("uid\tA\n", r"a\.tsv: a header "),
        ("name\tA\nx\t[0,0]\n", r"a\.tsv:1: .*`uid`"),
        ("uid\nx\n", r"a\.tsv:1: .*`uid`"),
        ("uid\tA\tA\nx\t[0,0]\t[0,0]\n", r"a\.tsv:1: two columns .*'A'"),
        ("uid\tA\t\nx\t[0,0]\t[0,0]\n", r"a\.tsv:1: column 3 "),
        ("uid\tA\tB\n\nx\t[0,0]\n", r"a\.tsv:3: 2 cells.* 3"),
        ("uid\tA\nx\t[0,0]\t[0,0]\n", r"a\.tsv:2: 3 cells.* 2"),
        ("uid,A,B\nx,[0,0],[0,0]\n", r"a\.tsv:2: 5 cells.* 3"),
        ("uid;A\nx;[0,5, 1]\n", r"a\.tsv:2: column 'A': '\[0,5, 1\]' "),
        ("uid\tA\n\t[0,0]\n", r"a\.tsv:2: column 'uid': empty"),
        ("uid\tA\nx\t[0,0]\nx\t[0,0]\n", r"a\.tsv:3: column 'uid': 'x' .*line 2"),
        ("uid\tA\tB\nx\t[0,0]\t\n", r"a\.tsv:2: column 'B': '' "),
        ("uid\tA\tB\nx\t[0,0]\t[0;1]\n", r"a\.tsv:2: column 'B': '\[0;1\]' "),
        ("uid\tA\nx\t[0,nan]\n", r"a\.tsv:2: column 'A': '\[0,nan\]' "),
        ("uid\tA\nx\t[0,-1]\n", "holds -1"),
        ("uid\tA\nx\t[0,0,1]\n", r"\[0,0,1\]"),
        ("uid\tA\nx\t[0, 0.7]\n", r"a\.tsv:2: column 'A': '\[0, 0.7\]' holds 0.7"),
        ("uid\tA\nx\t[5, 1]\n", "holds 5"),
        (b"uid\tA\n\xff\t[0,0]\n", "UTF-8"),
    ],
)
def test_malformed_tables_name_file_line_and_column(text, problem, tmp_path):
    with pytest.raises(DataError, match=problem):
        read_ratings(table(tmp_path, text))


CELLS = ["[0,1]", "[ 0.5 ,1 ]", " [1.0, .5]", "[5e-1, 1.]", "[0, 1,]", "(0, 0.5)", "[+1, -0]"]
STOPS = [
    "nan",
    "[0, None]",
    "[0, 0.7]",
    "[0, -1]",
    "[1]",
    "[0, 1, 1]",
    "[]",
    "0.5",
    "[0; 1]",
    "[0 1]",
]


@pytest.mark.parametrize("cell", [*CELLS, *STOPS])
def test_a_cell_is_read_where_imagenhubs_code_reads_it(cell, tmp_path):
    """AnalyzeHumanEval.ipynb: the evaluated cell has two values, each 0, 0.5 or 1; pandas makes "nan" a float."""
    values = None
    try:
        found = list(ast.literal_eval(cell))
        values = [{0: 0, 0.5: 0.5, 1: 1}[value] for value in found] if len(found) == 2 else None
    except (SyntaxError, ValueError, TypeError, KeyError):
        pass
    assert (values is not None) == (cell in CELLS)
    path = table(tmp_path, f"uid\tA\nx\t{cell}\n")
    if cell in CELLS:
        assert read_ratings(path).values.tolist() == [[values]]
    else:
        with pytest.raises(DataError, match=r"a\.tsv:2: column 'A'"):
            read_ratings(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", ["\t", ";", ","])
def test_tables_that_went_through_a_spreadsheet(tmp_path, separator, encoding):
    rows = [["uid", "A", "B"], ["ü.jpg", '"[0, 0.5]"', '"[1, 1]"']]
    text = "\r\n".join(separator.join(row) for row in rows)
    read = read_ratings(table(tmp_path, text.encode(encoding)))
    assert (read.images, read.models) == (("ü.jpg",), ("A", "B"))
    assert read.values.tolist() == [[[0.0, 0.5], [1.0, 1.0]]]


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_ratings(tmp_path / "none.tsv")


def test_tables_are_joined_by_name_not_by_place(tmp_path):
    one = read_ratings(table(tmp_path, "uid\tA\tB\nx\t[0,1]\t[1,1]\ny\t[0.5,1]\t[0,0]\n"))
    two = read_ratings(table(tmp_path, "uid\tB\tA\ny\t[0,0]\t[0.5,1]\nx\t[1,1]\t[0,1]\n", "b.tsv"))
    found = measure_ratings([one, two], rounds=0)
    assert found.models["A"]["SC"].per_rater == (0.25, 0.25)
    assert found.models["A"]["SC"].figures["fleiss_kappa"].value == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("uid\tA\nz\t[0,1]\n", r"b\.tsv: .*images.*a\.tsv: .*\['x'\].*\['z'\]"),
        ("uid\tC\nx\t[0,1]\n", r"b\.tsv: .*models.*a\.tsv: .*\['A'\].*\['C'\]"),
    ],
)
def test_tables_of_different_things_are_refused(text, problem, tmp_path):
    one = read_ratings(table(tmp_path, "uid\tA\nx\t[0,1]\n"))
    with pytest.raises(DataError, match=problem):
        measure_ratings([one, read_ratings(table(tmp_path, text, "b.tsv"))])


def test_one_rater_has_means_and_no_agreement(tmp_path):
    found = measure_ratings([read_ratings(table(tmp_path, "uid\tA\nx\t[0.5,1]\ny\t[0,1]\n"))], rounds=5)
    assert printed(found.models["A"])["kappa.SC"] == "nan"
    assert found.models["A"]["O"].figures["krippendorff_alpha"].text() == "undefined (there is one rater)"
