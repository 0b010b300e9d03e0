"""The leaderboard: order, published rows only beside the same pairs, rows of other evaluations."""

import json

import pytest
from filled import filled
from rich.console import Console

from editjudge.errors import DataError
from editjudge.formats.results.leaderboard import Board
from editjudge.formats.results.results import Results, read_results
from eval.benchmarks import BENCHMARKS
from eval.report.leaderboard import build_leaderboard
from eval.report.published import published
from eval.terminal import leaderboard_tables

SIZES = {"prompt_following": 944, "consistency": 890, "overall": 1238}


def make_row(run="sft", step=10, passes=1, overall=0.6, sizes=SIZES, **changes):
    figure = {"value": overall, "low": overall - 0.02, "high": overall + 0.02}
    dimensions = {
        name: {"pair_mean": figure, "task_mean": figure, "coverage": 0.99, "n_pairs": size}
        for name, size in sizes.items()
    }
    label = "base" if step == 0 else f"step {step}"
    judge = {"identity": f"{run} {step} {passes}"}
    row = {"run": run, "step": step, "label": label, "passes": passes, "benchmark": "bench", "partial": False}
    return row | {"judge": judge, "dimensions": dimensions} | changes


def make_results(rows, best=None, identity="abc"):
    runs = {row["run"]: {"best": {"step": best}} for row in rows if row["run"] is not None}
    about = {"n_pairs": 3072, "labels": identity}
    return filled(Results, evaluations=rows, benchmarks={"bench": about}, runs=runs)


def board(results, others=(), kind="editreward_bench", with_published=True):
    [table] = build_leaderboard(results, "sweep", {"bench": kind}, others, with_published)
    return table.as_json()


def test_measured_and_published_rows_in_one_order():
    rows = [make_row(step=0, overall=0.43), *(make_row(step=step, overall=step / 100) for step in (60, 70, 80, 65))]
    table = board(make_results(rows, best=70))
    names = [row["name"] for row in table["rows"] if row["kind"] == "measured"]
    assert names == ["sft: step 80", "sft: step 70", "sft: base"]  # best, last and base; not every checkpoint
    assert [row["name"] for row in table["rows"] if row["best"]] == ["sft: step 70"]
    overall = [row["values"]["overall"]["value"] for row in table["rows"]]
    assert overall == sorted(overall, reverse=True)
    editscore = next(row for row in table["rows"] if row["name"] == "EditScore-7B" and row["passes"] == 4)
    assert editscore["values"]["overall"] == {"value": 0.727, "low": None, "high": None}
    assert (editscore["kind"], editscore["protocol"]) == ("published", "same")
    assert table["figure"] == "task_mean"
    assert table["notes"] == []


@pytest.mark.parametrize(
    ("sizes", "kind", "note"),
    [(SIZES | {"overall": 1237}, "editreward_bench", "other labels"), (SIZES, "pairs", None)],
)
def test_published_figures_stand_only_beside_the_same_pairs(sizes, kind, note):
    table = board(make_results([make_row(sizes=sizes)]), kind=kind)
    assert {row["kind"] for row in table["rows"]} == {"measured"}
    assert [note in text for text in table["notes"]] == ([True] if note else [])


def test_published_rows_can_be_left_out():
    assert {row["kind"] for row in board(make_results([make_row()]), with_published=False)["rows"]} == {"measured"}


def test_more_passes_and_a_shared_base():
    shared = {"identity": "base"}
    rows = [
        make_row("a", 0, overall=0.4, judge=shared),
        make_row("a", 10),
        make_row("a", 10, passes=4, overall=0.7),
        make_row("b", 0, overall=0.4, judge=shared),
        make_row("b", 20),
    ]
    found = board(make_results(rows), kind="pairs")["rows"]
    assert [(row["name"], row["passes"]) for row in found] == [
        ("a: step 10", 4),
        ("a: step 10", 1),
        ("b: step 20", 1),
        ("a, b: base", 1),
    ]


def test_rows_of_other_evaluations_of_the_same_pairs(tmp_path):
    rival = make_row(None, None, overall=0.9, label="judge")
    for name, identity in (("rival", "abc"), ("stranger", "xyz")):
        (tmp_path / name).mkdir()
        results = make_results([rival], identity=identity)
        (tmp_path / name / "results.json").write_text(results.model_dump_json())
    others = [tmp_path / name / "results.json" for name in ("rival", "stranger")]
    table = board(make_results([make_row()]), others, kind="pairs")
    assert [(row["kind"], row["values"]["overall"]["value"]) for row in table["rows"]] == [
        ("other", 0.9),
        ("measured", 0.6),
    ]
    assert len(table["notes"]) == 1
    assert "stranger" in table["notes"][0]
    (tmp_path / "rival" / "results.json").write_text('{"rows": []}')
    with pytest.raises(DataError, match=r"not the results\.json"):
        board(make_results([make_row()]), others)


def figures(*values):
    return [{"value": value, "low": None, "high": None} for value in values]


def labelled(labels, **changes):
    """A row of a benchmark without pairs."""
    return make_row(None, None, label="judge", dimensions={}, labels=labels, **changes)


def multiway(overall=0.4, sizes=(186, 150, 148)):
    blocks = {str(k): {"n": n, "group_with_ties": figures(0.5)[0]} for k, n in zip((2, 3, 4), sizes, strict=True) if n}
    return {"multiway": {"coverage": 0.9, "k": blocks, "overall": {"group_with_ties": figures(overall)[0]}}}


def comparisons(n=919, four=None, without=0.6):
    keys = ("four_label", "three_class", "with_ties", "without_ties")
    values = [figures(four)[0] if four else None, *figures(0.5, 0.55, without)]
    return {"comparisons": {"overall": {"n": n, "coverage": 1.0, **dict(zip(keys, values, strict=True))}}}


def test_groups_stand_beside_what_was_published_of_tiger():
    table = board(make_results([labelled(multiway())]), kind="tiger_editreward_bench")
    assert list(table["columns"]) == ["k2", "k3", "k4", "overall"]
    assert [row["name"] for row in table["rows"]][:2] == ["sweep: judge", "EditReward (MiMo-VL-7B)"]  # 0.4, 0.3842
    assert table["rows"][0]["coverage"] == 0.9
    smaller = board(make_results([labelled(multiway(sizes=(186, 150, 147)))]), kind="tiger_editreward_bench")
    assert len(smaller["rows"]) == 1
    assert "groups of 4 148" in smaller["notes"][0]


def test_comparisons_stand_beside_what_was_published_of_genai_bench():
    table = board(make_results([labelled(comparisons())]), kind="genai_bench")
    assert table["rows"][0]["values"]["four_label"] is None  # scores do not say whether a tie is a good one
    published_rows = {row["name"]: row["values"]["four_label"]["value"] for row in table["rows"][1:]}
    assert published_rows["GPT-4o"] == 0.5354
    assert [*published_rows.values()] == sorted(published_rows.values(), reverse=True)
    votes = board(make_results([labelled(comparisons(four=0.55))]), kind="genai_bench")["rows"]
    shares = [row["values"]["four_label"]["value"] for row in votes]
    assert shares == sorted(shares, reverse=True)  # votes have the published figure, so it decides
    assert 0 < shares.index(0.55) < len(shares) - 1


def test_ratings_have_a_table_of_their_own():
    found = {"overall": {"n": 8, "coverage": 0.5, "spearman": {"mean": figures(-0.2)[0], "viescore": figures(-0.1)[0]}}}
    table = board(make_results([labelled({"ratings": found})]), kind="imagenhub")
    assert table["rows"][0]["values"]["overall"]["value"] == -0.2
    assert (table["figure"], table["rows"][0]["coverage"]) == ("ratings", 0.5)
    assert table["rows"][0]["values"]["overall.viescore"]["value"] == -0.1
    assert table["columns"] == {"overall": "overall, Spearman", "overall.viescore": "overall, VIEScore"}


def test_a_file_of_another_version_is_refused_and_so_is_one_that_was_edited(tmp_path):
    path, results = tmp_path / "results.json", make_results([make_row()]).as_json()
    path.write_text(json.dumps(results))
    assert read_results(path) == make_results([make_row()])
    path.write_text(json.dumps(results | {"format": 2}))
    with pytest.raises(DataError, match=r"results\.json: format 2.* 3; run its recipe again"):
        board(make_results([make_row()]), [path])
    path.write_text(json.dumps(results | {"benchmarks": {"bench": {}}}))
    with pytest.raises(DataError, match=r"results\.json: benchmarks\.bench\.source: Field required"):
        read_results(path)


@pytest.mark.parametrize(("n", "shown"), [(1432, True), (1611, False)])
def test_viescores_gemini_stands_beside_the_same_eight_editing_models(n, shown):
    one = {"n": n, "coverage": 1, "spearman": {"mean": figures(0.3)[0], "viescore": figures(0.29)[0]}}
    found = dict.fromkeys(("semantic", "quality", "overall"), one)
    table = board(make_results([labelled({"ratings": found})]), kind="imagenhub")
    rows = {row["name"]: row["values"] for row in table["rows"] if row["kind"] == "published"}
    assert [rows[name]["quality.viescore"]["value"] for name in rows] == ([0.4291] if shown else [])


def test_every_published_figure_is_one_of_a_known_benchmark_and_names_its_source():
    content = published()
    assert set(content) <= set(BENCHMARKS)
    rows = [row for found in content.values() for row in found.rows]
    assert all(row.source and row.protocol for row in rows)
    shown = {
        "editreward_bench": set(SIZES),
        "tiger_editreward_bench": {"k2", "k3", "k4", "overall"},
        "genai_bench": {"four_label"},
        "imagenhub": {"semantic.viescore", "quality.viescore", "overall.viescore"},
    }
    assert {name: {key for row in found.rows for key in row.values} for name, found in content.items()} == shown


def test_the_terminal_table_says_what_is_published_and_what_is_partial():
    console = Console(width=200, record=True)
    [table] = leaderboard_tables(Board(**board(make_results([make_row(partial=True)], best=10))), 200)
    console.print(table)
    lines = console.export_text().splitlines()
    assert any("sft: step 10 *" in line and "PARTIAL" in line and "[0.580, 0.620]" in line for line in lines)
    assert any("GPT-5" in line and "published: EditScore paper, protocol same" in line for line in lines)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_on_a_narrow_screen_nothing_is_cut(width):
    """Six figures with intervals, names and readings do not fit: the columns are spread over several tables."""
    scales = ("semantic", "quality", "overall")
    labels = {
        scale: {
            "coverage": 0.9,
            "n": 10,
            "spearman": {
                name: {"value": value + place / 100, "low": 0.1, "high": 0.9}
                for name, value in (("mean", 0.5), ("viescore", 0.4))
            },
        }
        for place, scale in enumerate(scales)
    }
    row = labelled({"ratings": labels}, reading="as published") | {"label": "A judge with a long name, as published"}
    console = Console(width=width, record=True)
    for table in leaderboard_tables(Board(**board(make_results([row]), kind="imagenhub")), width):
        console.print(table)
    text = console.export_text()
    assert "…" not in text
    for place in range(len(scales)):
        assert f"0.5{place}0 [0.100, 0.900]" in text
        assert f"0.4{place}0 [0.100, 0.900]" in text
    assert "published" in text.split("from")[1]
