"""Scores and votes made elsewhere: every format; what cannot be used is named and counted."""

import csv
import itertools
import json

import pytest
from eval_recipes import eval_recipe as make_recipe
from eval_recipes import read_external as read
from eval_recipes import rows_for, scores_recipe
from eval_world import PixelEngine, comparable, write_benchmark
from factories import make_ref
from pydantic import ValidationError

from editjudge.errors import DataError, StaleOutputError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.records.types import PreferencePair
from eval.benchmarks.pairs import Pairs
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.metrics.pairs import score_margin
from eval.run import run_eval


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def bench(pairs):
    return Pairs(path=pairs).load(pairs.parent)


def test_the_cards_of_a_judge_give_the_figures_of_that_judge(tmp_path, pairs):
    judged = run_eval(make_recipe(tmp_path / "judge", pairs, PixelEngine(unreadable=0.1))).as_json()
    file = str(tmp_path / "judge" / "pairs" / "cards.jsonl")
    again = run_eval(scores_recipe(tmp_path / "file", pairs, file)).as_json()
    assert again["evaluations"][0]["dimensions"] == judged["evaluations"][0]["dimensions"]
    assert again["evaluations"][0]["label"] == "cards"
    assert again["evaluations"][0]["judge"]["unused"] == {}
    second = run_eval(scores_recipe(tmp_path / "file", pairs, file)).as_json()
    assert comparable(second) == comparable(again)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "json"])
@pytest.mark.parametrize("name", ["id", "sha256", "image"])
def test_a_plain_table_names_candidates_in_several_ways(tmp_path, bench, ending, name):
    names = {"id": lambda t: t.id, "sha256": lambda t: t.edited.sha256, "image": lambda t: f"/other/{t.edited.path}"}
    rows = [
        {name: names[name](triplet), "overall": 20 + place % 3, "consistency": 0}
        for place, triplet in enumerate(bench.triplets)
    ]
    path = tmp_path / f"scores.{ending}"
    if ending == "csv":
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif ending == "json":
        path.write_text(json.dumps(rows))
    else:
        write_jsonl(path, rows)
    found = read(path, bench, range=[0, 25])
    for place, triplet in enumerate(bench.triplets):
        card = found.cards[triplet.id]
        assert (card.overall, card.consistency, card.prompt_following) == ((20 + place % 3) / 2.5, 0, None)
        assert (card.n_ok, card.n_failed) == (1, 0)
    assert found.votes is None
    assert found.findings.as_json() == {}


def test_a_range_may_be_negative(tmp_path, bench):
    write_jsonl(tmp_path / "s.jsonl", rows_for(bench, score=0.5))
    card = next(iter(read(tmp_path / "s.jsonl", bench, range=[-2, 3]).cards.values()))
    assert card.overall == 5


@pytest.mark.parametrize("bounds", [(0, 3), (1, 4), (1, 7), (-1, 2), (0, 30)])
def test_equal_differences_stay_equal_on_any_range(tmp_path, bench, bounds):
    """Thirds of ten rounded to decimals would differ in the last one, and a tie threshold could part them."""
    low, high = bounds
    rows = [
        {"triplet_id": triplet.id, "overall": low + place % (high - low + 1)}
        for place, triplet in enumerate(bench.triplets)
    ]
    write_jsonl(tmp_path / "s.jsonl", rows)
    cards = read(tmp_path / "s.jsonl", bench, range=[low, high]).cards
    values = sorted({cards[triplet.id].overall for triplet in bench.triplets})
    assert len({score_margin(one, other) for one, other in itertools.pairwise(values)}) == 1


def test_what_cannot_be_used_is_unscored_and_counted(tmp_path, bench):
    rows = rows_for(bench, overall=5.0)
    rows[0]["overall"] = 90
    rows[1]["overall"] = "n/a"
    rows[2]["overall"] = None
    rows[3]["overall"] = float("nan")
    rows[4]["triplet_id"] = "nobody"
    rows += [rows[5] | {"overall": 6.0}, rows[6]]  # two different scores; the same score twice
    (tmp_path / "s.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    found = read(tmp_path / "s.jsonl", bench)
    ids = [triplet.id for triplet in bench.triplets]
    assert [found.cards[name].overall for name in ids[:8]] == [None, None, None, None, None, None, 5.0, 5.0]
    assert {kind: block["count"] for kind, block in found.findings.as_json().items()} == {
        "out_of_range": 1,
        "unreadable_score": 3,
        "not_in_benchmark": 1,
        "no_score": 1,
        "two_scores": 1,
    }
    assert "s.jsonl:1: overall 90" in found.findings.names["out_of_range"][0]
    assert [found.cards[ids[place]].n_failed for place in (0, 4)] == [1, 0]  # asked and unreadable; never asked


def test_unscored_candidates_lower_the_coverage(tmp_path, pairs, bench):
    write_jsonl(tmp_path / "s.jsonl", rows_for(bench, overall=5.0)[1:])
    results = run_eval(
        scores_recipe(tmp_path / "out", pairs, {"path": tmp_path / "s.jsonl", "name": "Rival"})
    ).as_json()
    row = results["evaluations"][0]
    assert row["label"] == "Rival"
    assert row["dimensions"]["overall"]["unscored"] == 2
    assert row["judge"]["unused"]["no_score"] == {"count": 1, "names": [bench.triplets[0].id]}


def test_other_scores_in_the_same_folder_are_refused(tmp_path, pairs, bench):
    write_jsonl(tmp_path / "s.jsonl", rows_for(bench, overall=5.0))
    run_eval(scores_recipe(tmp_path / "out", pairs, tmp_path / "s.jsonl"))
    write_jsonl(tmp_path / "s.jsonl", rows_for(bench, overall=6.0))
    with pytest.raises(StaleOutputError, match="scores"):
        run_eval(scores_recipe(tmp_path / "out", pairs, tmp_path / "s.jsonl"))


def test_an_editscore_folder(tmp_path, bench):
    """`<backbone>/<task>/<dimension>.jsonl`; the keys of EditReward-Bench are the candidates' editors."""
    for pair in bench.pairs:
        if pair.task.id != "task000" or pair.dimension == "consistency":
            continue
        file = tmp_path / "qwen25vl" / pair.task.task_type / f"{pair.dimension}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        level = {"editor0": 9.0, "editor1": 7.5, "editor2": 3.0}
        row = {
            "key": [pair.better.editor, pair.worse.editor],
            "score": [level[pair.better.editor], level[pair.worse.editor]],
        }
        with file.open("a") as handle:
            handle.write(json.dumps(row) + "\n")
    one_group = Benchmark(
        "b", "b", tuple(pair for pair in bench.pairs if pair.task.id == "task000"), bench.root, Findings(), Findings()
    )
    found = read(tmp_path, one_group)
    assert found.format == "editscore"
    cards = {card.triplet.editor: card for card in found.cards.values()}
    assert [cards[f"editor{rank}"].overall for rank in range(3)] == [9.0, 7.5, 3.0]
    assert [cards[f"editor{rank}"].prompt_following for rank in range(3)] == [9.0, 7.5, 3.0]
    assert cards["editor0"].consistency is None
    assert found.findings.as_json() == {}


def test_gedit_csv(tmp_path, bench):
    header = (
        "source_image,edited_image,instruction,sementics_score,quality_score,intersection_exist,instruction_language\n"
    )
    lines = [
        f'src.png,/results/{triplet.edited.path},"{triplet.task.instruction}",4,9,True,en' for triplet in bench.triplets
    ]
    (tmp_path / "color_alter_gpt_score.csv").write_text(header + "\n".join(lines))
    found = read(tmp_path, bench)
    assert found.format == "gedit"
    assert {(card.overall, card.perceptual_quality, card.prompt_following) for card in found.cards.values()} == {
        (6.0, 9.0, None)
    }


def test_the_same_image_for_the_same_task_may_go_by_two_ids_but_a_shared_name_is_refused(tmp_path, bench):
    write_jsonl(tmp_path / "s.jsonl", [*rows_for(bench, overall=5.0), {"triplet_id": "editor0", "overall": 1.0}])
    found = read(tmp_path / "s.jsonl", bench)
    assert found.findings.counts == {"ambiguous_name": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"triplet_id": "nobody", "overall": 5}', "1 rows .*about pairs"),
        ('{"overall": 5}', r"s\.jsonl:1: no column "),
        ('{"triplet_id": "x"}', r"s\.jsonl:1: .*score nor a vote"),
        ("{", r"s\.jsonl:1: not valid JSON"),
        ("[1]", r"s\.jsonl: row 0: "),
        ("", "no row"),
        ('{"triplet_id": "x", "score": [1, 2]}', "list called score"),
    ],
)
def test_files_that_are_something_else_are_named(tmp_path, bench, content, said):
    (tmp_path / "s.jsonl").write_text(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "s.jsonl", bench)


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_nothing_to_read(tmp_path, bench, name):
    with pytest.raises(DataError, match=r"`scores`|no scores"):
        read(tmp_path / name, bench)


def test_cards_of_another_image_are_not_used(tmp_path, pairs, bench):
    run_eval(make_recipe(tmp_path / "judge", pairs))
    first = next(read_jsonl(pairs, PreferencePair))
    changed = first.better.model_copy(update={"edited": make_ref(path="edits/0-0.png")})
    other = Benchmark("b", "b", (first.model_copy(update={"better": changed}),), bench.root, Findings(), Findings())
    found = read(tmp_path / "judge" / "pairs", other)
    assert found.cards[changed.id].overall is None
    assert found.findings.counts["other_image"] == 1


def test_a_recipe_has_a_judge_or_scores(tmp_path, pairs):
    with pytest.raises(ValidationError, match="either `judge`"):
        make_recipe(tmp_path, pairs, judge=None)
    with pytest.raises(ValidationError, match="either `judge`"):
        make_recipe(tmp_path, pairs, scores="x.jsonl")
    for name, value in (("prices", {"per_hour": 2}), ("shard_triplets", 8), ("probes", {})):
        with pytest.raises(ValidationError, match=f"{name}: "):
            scores_recipe(tmp_path, pairs, "x.jsonl", **{name: value})
    with pytest.raises(ValidationError, match="worst score"):
        scores_recipe(tmp_path, pairs, {"path": "x.jsonl", "range": [10, 0]})


def test_an_empty_cell_is_an_unscored_candidate(tmp_path, bench):
    rows = rows_for(bench, overall="5.0")
    rows[0]["overall"] = ""
    with (tmp_path / "s.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = read(tmp_path / "s.csv", bench)
    assert found.cards[bench.triplets[0].id].overall is None
    assert found.findings.counts == {"unreadable_score": 1}


def test_a_line_separator_inside_a_row_ends_no_line(tmp_path, bench):
    rows = rows_for(bench, overall=5.0, rationale="one\u2028two")
    (tmp_path / "s.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert read(tmp_path / "s.jsonl", bench).findings.total == 0


def test_the_folder_of_an_evaluation_names_those_of_its_benchmarks(tmp_path, pairs, bench):
    """Of one benchmark its cards are taken; of two none is guessed."""
    run_eval(make_recipe(tmp_path / "judge", pairs))
    assert read(tmp_path / "judge", bench).format == "cards"
    benches = [{"use": "pairs", "path": str(pairs), "name": name} for name in ("one", "two")]
    run_eval(make_recipe(tmp_path / "both", pairs, bench=benches))
    with pytest.raises(DataError, match=r"2 tasks .*\n.*both/one \(cards\)"):
        read(tmp_path / "both", bench)
    assert read(tmp_path / "both" / "two", bench).format == "cards"


def test_a_moved_file_is_the_same_scores(tmp_path, bench):
    (tmp_path / "moved").mkdir()
    for folder in (tmp_path, tmp_path / "moved"):
        write_jsonl(folder / "s.jsonl", rows_for(bench, overall=5.0))
    assert read(tmp_path / "s.jsonl", bench).identity == read(tmp_path / "moved" / "s.jsonl", bench).identity
