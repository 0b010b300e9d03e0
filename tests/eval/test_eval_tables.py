"""LaTeX and Markdown tables: figures by hand, and nothing of a name breaks out of its cell."""

from __future__ import annotations

import pytest
from filled import filled

from editjudge.formats.results.results import Results
from editjudge.statistics.estimate import Estimate
from eval.report.gallery import Gallery
from eval.report.sections import make_section, pick_shown
from eval.report.tables import Table, as_latex, as_markdown, figure, make_tables, write_tables

FIGURE = {"value": 0.7244, "low": 0.69, "high": 0.757}
POINT = {"value": 0.5, "low": None, "high": None}


def results(left_out=0, label="step 10"):
    found = {
        "n_pairs": 40,
        "pair_mean": FIGURE,
        "task_mean": POINT,
        "coverage": 0.975,
        "categories": {"advanced": POINT},
        "tasks": {"compose": FIGURE, "ps_human": POINT},
    }
    row = {
        "label": label,
        "run": None,
        "step": 10,
        "passes": 4,
        "benchmark": "mine",
        "dimensions": {"overall": found},
        "scores": {"edges": [0, 10]},
    }
    about = {
        "n_pairs": 40,
        "n_groups": 8,
        "n_triplets": 20,
        "partial": left_out > 0,
        "left_out": {"missing_image": {"count": left_out, "names": ["x"]}} if left_out else {},
        "notes": {},
    }
    return {"bootstrap": {"rounds": 10000}, "benchmarks": {"mine": about}, "evaluations": [row]}


def tables(content):
    found = filled(Results, **content)
    section = make_section("mine", found, found.evaluations[0], Gallery((), 0, 0))
    return make_tables(found, [section])


def test_cells():
    judges, tasks = tables(results())
    assert judges.body == [["step 10", "4", "–", "–", "–", "–", "72.4 [69.0, 75.7]", "50.0", "97.5"]]
    assert tasks.body == [
        ["ps_human", "–", "–", "50.0"],
        ["compose", "–", "–", "72.4 [69.0, 75.7]"],
        ["mean of advanced", "–", "–", "50.0"],
    ]
    assert "PARTIAL" not in judges.caption
    assert figure(Estimate(value=None, low=None, high=None)) == "–"


def test_partial_figures_say_so_in_every_table():
    assert all("PARTIAL: 3 rows" in table.caption for table in tables(results(left_out=3)))


def test_names_are_escaped():
    table = Table("50 % <b>", ["a|b", "K"], [[r"\x_1 & {y}", "1\n2"]])
    assert r"\textbackslash{}x\_1 \& \{y\} & 1 2 \\" in as_latex(table)
    assert r"\caption{50 \% \textless{}b\textgreater{}}" in as_latex(table)
    assert as_markdown(table).splitlines() == [
        r"50 % \<b\>",
        "",
        r"| a\|b | K |",
        "|---|---:|",
        r"| \\x\_1 & {y} | 1 2 |",
    ]


def test_only_what_was_asked_for_is_written(tmp_path):
    content = filled(Results, **results())
    section = make_section("mine", content, content.evaluations[0], Gallery((), 0, 0))
    write_tables(tmp_path, content, [section], ("latex",))
    assert [file.name for file in tmp_path.iterdir()] == ["tables.tex"]
    assert (tmp_path / "tables.tex").read_text().count(r"\begin{tabular}") == 2


@pytest.mark.parametrize(("best", "gain"), [(None, 0.2), ({"run": "sft", "step": 5}, None)])
def test_the_gain_of_the_last_checkpoint_stands_beside_no_other(best, gain):
    content = results()
    last = content["evaluations"][0] | {"run": "sft"}
    content["evaluations"] = [last | {"step": 0}, last | {"step": 5}, last]
    run = {"gain": {"mine": {"dimensions": {"overall": {"value": 0.2}}}}}
    found = filled(Results, **content, runs={"sft": run}, best=best)
    section = make_section("mine", found, pick_shown(found.evaluations, found.best), Gallery((), 0, 0))
    assert (section.gain["overall"].value if section.gain else None) == gain


def test_labels_that_are_no_pairs_and_leaderboards_have_tables_too():
    content = results()
    row = content["evaluations"][0]
    row["dimensions"], row["partial"] = {}, True
    row["labels"] = {
        "multiway": {"coverage": 1, "k": {"2": {"group_with_ties": FIGURE}}, "overall": {"group_with_ties": POINT}},
        "ratings": {
            "overall": {
                "coverage": 0.5,
                "spearman": {
                    "mean": {"value": -0.25, "low": -0.5, "high": 0.1},
                    "viescore": {"value": -0.2, "low": None, "high": None},
                },
            }
        },
    }
    groups, ratings = tables(content)
    assert groups.head == ["Judge", "K", "2 candidates", "overall", "coverage"]
    assert groups.body == [["step 10", "4", "72.4 [69.0, 75.7]", "50.0", "100.0"]]
    assert ratings.body == [["step 10", "4", "-0.250 [-0.500, 0.100]", "-0.200", "50.0"]]
    assert ratings.head == ["Judge", "K", "overall, Spearman", "overall, VIEScore", "coverage"]
    mine = {"name": "mine", "passes": 4, "values": {"overall": FIGURE}, "kind": "measured", "source": None}
    mine["coverage"] = 0.975
    theirs = {"name": "GPT", "passes": None, "values": {"overall": POINT}, "kind": "published", "source": "a paper"}
    theirs["coverage"] = None
    board = {"benchmark": "mine", "says": "share", "figure": "task_mean", "columns": {"overall": "overall"}}
    rows = [mine | {"partial": True}, theirs | {"partial": False, "protocol": "same"}]
    content["leaderboard"] = [board | {"rows": rows, "notes": ["a note"]}]
    assert tables(content)[0].body == [
        ["mine, PARTIAL", "4", "72.4 [69.0, 75.7]", "97.5", "measured"],
        ["GPT", "–", "50.0", "–", "published: a paper, protocol same"],
    ]
