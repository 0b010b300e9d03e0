"""Benchmarks with ties, groups and ratings in their public schemas: what is read, left out and noted, and measured."""

import json
import shutil

import pytest
from bench_ground import genai_row, png
from bench_ground import write as write
from factories import make_image
from label_ground import candidate, comparison, group, rating

from editjudge.cli.commands import load
from editjudge.errors import DataError
from editjudge.images.store import ImageStore
from eval.benchmarks import BENCHMARKS
from eval.benchmarks.aurora import Aurora
from eval.benchmarks.genai_bench import GenAIBench
from eval.benchmarks.imagenhub import ImagenHub
from eval.benchmarks.tiger_editreward_bench import TigerEditRewardBench, read_ranking
from eval.labels.benchmark import checked
from eval.labels.findings import Findings
from eval.labels.lint import cycles, note_labels, statements


def load_genai(write, tmp_path, rows, **changes):
    folder = write(rows, "image_edition/test_v1-00000-of-00001.parquet")
    return GenAIBench(path=str(folder), **changes).load(tmp_path / "cache")


def test_genai_bench_in_its_schema(write, tmp_path):
    votes = ["leftvote", "rightvote", "tievote", "bothbad_vote"]
    write([genai_row()] * 3, "image_edition/test-00000-of-00001.parquet")
    write([{"prompt": "a video"}], "video_generation/test_v1-00000-of-00001.parquet")
    bench = load_genai(
        write, tmp_path, [genai_row(vote_type=vote, left_output_image=png(i)) for i, vote in enumerate(votes)]
    )
    assert [item.label for item in bench.comparisons] == ["A>B", "B>A", "A=B=Good", "A=B=Bad"]
    assert [item.id for item in bench.comparisons] == [f"genai_bench-{i}" for i in range(4)]
    first = bench.comparisons[1]
    assert (first.first.editor, first.second.editor) == ("one", "two")
    assert ImageStore(bench.root).read(first.first.edited).tobytes() == make_image(seed=1).tobytes()
    assert bench.pairs == ()
    assert len(bench.triplets) == 4
    assert len({item.task.id for item in bench.comparisons}) == 1
    assert bench.has_images


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"vote_type": "maybe"}, "unknown_label"),
        ({"vote_type": None}, "unknown_label"),
        ({"source_image": None}, "missing_image"),
        ({"left_output_image": {"bytes": b"no image", "path": "x"}}, "unreadable_image"),
        ({"instruct_prompt": ""}, "missing_instruction"),
    ],
)
def test_an_unusable_row_of_genai_bench_is_left_out(write, tmp_path, changes, kind):
    bench = load_genai(write, tmp_path, [genai_row(), genai_row(**changes), genai_row(left_output_image=png(5))])
    assert [item.id for item in bench.comparisons] == ["genai_bench-0", "genai_bench-2"]
    assert bench.left_out.counts == {kind: 1}
    assert bench.left_out.names[kind][0].startswith("row 1: ")
    assert bench.partial


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "duplicate_pair"),
        ({"vote_type": "rightvote"}, "contradictory_labels"),
        ({"vote_type": "tievote"}, "contradictory_labels"),
        ({"left_output_image": png(2)}, "identical_outputs"),
    ],
)
def test_a_suspicious_row_of_genai_bench_is_kept_and_noted(write, tmp_path, changes, kind):
    bench = load_genai(write, tmp_path, [genai_row(), genai_row(**changes)])
    assert len(bench.comparisons) == 2
    assert bench.notes.counts == {kind: 1}


def test_a_missing_column_of_genai_bench_is_named(write, tmp_path):
    folder = write([genai_row()], "data.parquet", drop=["vote_type"])
    with pytest.raises(DataError, match=r"GenAI-Bench.*vote_type"):
        GenAIBench(path=str(folder)).load(tmp_path / "cache")


def test_genai_labels_alone(tmp_path):
    rows = [{"idx": 3, "human_vote": "tievote", "model_vote": "[[A>B]]"}, {"idx": 4, "human_vote": "?"}]
    (tmp_path / "gpt4o.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench = GenAIBench(path=str(tmp_path / "gpt4o.jsonl")).load(tmp_path)
    assert [(item.id, item.label) for item in bench.comparisons] == [("genai_bench-3", "A=B=Good")]
    assert not bench.has_images
    assert bench.left_out.counts == {"unknown_label": 1}
    refused = {'{"a": 1}': "unknown_label", "[5]": "row 0: ", "[": "wrong.json:1: "}
    for content, said in refused.items():
        (tmp_path / "wrong.json").write_text(content)
        with pytest.raises(DataError, match=said):
            GenAIBench(path=str(tmp_path / "wrong.json")).load(tmp_path)


def tiger_rows(group_id: str, ranking: str, seed: int, instruction: str = "Make it red.") -> list[dict]:
    """All comparisons of the letters of a strict ranking such as "BAC", with the source image `seed`."""
    letters = sorted(ranking)
    rows = []
    for place, one in enumerate(letters):
        for other in letters[place + 1 :]:
            better, worse = (one, other) if ranking.index(one) < ranking.index(other) else (other, one)
            rows.append(
                {
                    "id": f"{group_id}_{one}vs{other}",
                    "instruction": instruction,
                    "source_image": png(seed),
                    "candidate_1": png(seed + 1 + letters.index(one)),
                    "candidate_2": png(seed + 1 + letters.index(other)),
                    "ranking": f"{better}>{worse}",
                    "comparison_type": f"{one}vs{other}",
                    "dataset": f"{len(letters)}pair",
                    "score_1": "4",
                    "score_2": "3",
                    "model_1": f"model{one}",
                    "model_2": f"model{other}",
                }
            )
    return rows


def load_tiger(write, tmp_path, rows, **changes):
    sizes = ("2pair", "3pair", "4pair")
    for size in sizes:
        mine = [row for row in rows if row["dataset"] == size]
        if mine:
            folder = write(mine, f"{size}/train-00000-of-00001.parquet")
    return TigerEditRewardBench(path=str(folder), **changes).load(tmp_path / "cache")


def test_tiger_bench_in_its_schema(write, tmp_path):
    pair = [tiger_rows("p0", "AB", 0)[0] | {"ranking": "A=B"}]
    bench = load_tiger(write, tmp_path, pair + tiger_rows("t0", "BAC", 10) + tiger_rows("q0", "DACB", 20))
    assert [len(item.candidates) for item in bench.multiways] == [2, 3, 4]
    two, three, four = bench.multiways
    assert two.preferences[0].label == "A=B"
    assert [(item.first, item.second, item.label) for item in three.preferences] == [
        (0, 1, "B>A"),
        (0, 2, "A>B"),
        (1, 2, "A>B"),
    ]
    assert [triplet.editor for triplet in three.candidates] == ["modelA", "modelB", "modelC"]
    assert len(four.preferences) == 6
    assert four.preferences[2].id == "q0_AvsD"
    assert len(bench.triplets) == 9
    assert bench.notes.total == bench.left_out.total == 0
    assert len(load_tiger(write, tmp_path, tiger_rows("t0", "BAC", 10), sizes=("3pair",)).multiways) == 1


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"ranking": "A>C"}, {"unknown_label": 1, "incomplete_group": 1}),
        ({"ranking": "A=B=Great"}, {"unknown_label": 1, "incomplete_group": 1}),
        ({"candidate_1": None}, {"missing_image": 1, "incomplete_group": 1}),
        ({"comparison_type": "first"}, {"unknown_comparison_type": 1, "incomplete_group": 1}),
        ({"id": "t1_\x1b[2J"}, {"no_id": 1, "incomplete_group": 1}),
        ({"dataset": "5pair"}, {"unknown_group_size": 1, "incomplete_group": 1}),
        ({"candidate_1": png(99)}, {"letter_names_two_images": 1}),
        ({"instruction": "Make it blue."}, {"group_of_two_tasks": 1}),
    ],
)
def test_a_group_with_an_unusable_row_is_left_out_whole(write, tmp_path, changes, kinds):
    good, bad = tiger_rows("t0", "ABC", 10), tiger_rows("t1", "ABC", 20)
    folder = write([*good, bad[0] | changes, *bad[1:]], "3pair/train.parquet")
    bench = TigerEditRewardBench(path=str(folder)).load(tmp_path / "cache")
    assert [item.id for item in bench.multiways] == ["3pair-t0"]
    assert bench.left_out.counts == kinds


def test_repeated_and_contradicting_groups_are_noted(write, tmp_path):
    twice = [
        *tiger_rows("p0", "AB", 0),
        *tiger_rows("p1", "AB", 0),
        *tiger_rows("p2", "BA", 0),
        *tiger_rows("p1", "AB", 0),
    ]
    bench = load_tiger(write, tmp_path, twice)
    assert len(bench.multiways) == 3
    assert len(bench.multiways[1].preferences) == 2
    assert bench.notes.counts == {
        "contradictory_labels": 1,
        "duplicate_pair": 2,
        "repeated_comparison": 1,
        "repeated_id": 1,
    }
    assert len({item.id for group in bench.multiways for item in group.preferences}) == 4


@pytest.mark.parametrize(
    ("ranking", "letters", "label"),
    [
        ("A>B", "AB", "A>B"),
        ("a < b", "AB", "B>A"),
        ("D>B", "BD", "B>A"),
        ("A=B=Good", "AB", "A=B=Good"),
        ("A=B=Bad", "AB", "A=B=Bad"),
        ("C=B", "BC", "A=B"),
    ],
)
def test_rankings(ranking, letters, label):
    assert read_ranking(ranking, (letters[0], letters[1])) == label


@pytest.fixture
def museum(tmp_path):
    """Images of ImagenHub as its museum lays them out, for two models and three uids, and the raters' tables."""
    uids = [f"sample_{number}.jpg" for number in range(3)]
    for place, folder in enumerate(("input", "Alpha", "Beta")):
        (tmp_path / "museum" / folder).mkdir(parents=True)
        for number, uid in enumerate(uids):
            make_image(seed=10 * place + number).save(tmp_path / "museum" / folder / uid)
    lookup = {uid: {"instruction": f"Edit {number}.", "target": "x"} for number, uid in enumerate(uids)}
    (tmp_path / "museum" / "dataset_lookup.json").write_text(json.dumps(lookup))
    (tmp_path / "ratings").mkdir()
    for rater, cells in enumerate(("[0,1]\t[1, 1]", "[0.5,0.5]\t[1,0]")):
        lines = ["uid\tAlpha\tBeta", *(f"{uid}\t{cells}" for uid in uids)]
        (tmp_path / "ratings" / f"rater{rater}.tsv").write_text("\n".join(lines))
    return tmp_path


def test_imagenhub_with_images(museum):
    bench = ImagenHub(ratings=museum / "ratings", images=museum / "museum").load(museum / "cache")
    assert len(bench.ratings) == 3 * 2 * 3
    by_id = {item.id: item for item in bench.ratings}
    overall = by_id["Alpha/sample_0.jpg/overall"]
    assert overall.raters == (0, 0.5)
    assert overall.value == 0.25
    assert by_id["Beta/sample_0.jpg/quality"].value == 0.5
    triplet = overall.triplet
    assert (triplet.editor, triplet.task.origin.source, triplet.task.instruction) == (
        "Alpha",
        "sample_0.jpg",
        "Edit 0.",
    )
    assert ImageStore(bench.root).read(triplet.edited).size == (64, 48)
    assert bench.has_images
    assert len(bench.triplets) == 6
    only = ImagenHub(ratings=museum / "ratings", images=museum / "museum", models=("Beta",)).load(museum / "cache")
    assert {item.triplet.editor for item in only.ratings} == {"Beta"}


def test_imagenhub_leaves_out_what_has_no_image(museum):
    (museum / "museum" / "Alpha" / "sample_1.jpg").unlink()
    (museum / "museum" / "input" / "sample_2.jpg").unlink()
    bench = ImagenHub(ratings=museum / "ratings", images=museum / "museum").load(museum / "cache")
    assert bench.left_out.counts == {"missing_image": 2}
    assert len(bench.triplets) == 3
    with pytest.raises(DataError, match="column Gamma"):
        ImagenHub(ratings=museum / "ratings", models=("Gamma",)).load(museum)
    shutil.rmtree(museum / "ratings")
    with pytest.raises(DataError, match=r"no \.tsv file"):
        ImagenHub(ratings=museum / "ratings").load(museum)


def test_equal_outputs_of_two_models_keep_their_own_ratings(museum):
    shutil.copy(museum / "museum" / "Alpha" / "sample_0.jpg", museum / "museum" / "Beta" / "sample_0.jpg")
    bench = ImagenHub(ratings=museum / "ratings", images=museum / "museum").load(museum / "cache")
    assert len(bench.triplets) == 6
    assert bench.notes.total == 0


def test_aurora_in_both_schemas(museum):
    folder = museum / "museum"
    points = [
        {"prompt": "Turn.", "input": "input/sample_0.jpg", "gen": "Alpha/sample_0.jpg", "score": 1.5, "model": "Alpha"},
        {"instruction": "Turn.", "input_path": str(folder / "input/sample_0.jpg"), "model": "Beta"}
        | {"output_path": str(folder / "Beta/sample_0.jpg"), "score": 2},
        {"prompt": "Turn.", "input": "/elsewhere/0.jpg", "gen": "Alpha/sample_0.jpg", "score": 1, "model": "Alpha"},
        {"prompt": "Turn.", "input": "input/sample_0.jpg", "gen": "Alpha/no.jpg", "score": 1, "model": "Alpha"},
        {
            "prompt": "Turn.",
            "input": "input/sample_0.jpg",
            "gen": "Alpha/sample_0.jpg",
            "score": None,
            "model": "Alpha",
        },
        {"prompt": "Turn.", "input": "input/sample_0.jpg"},
    ]
    (folder / "points.json").write_text(json.dumps(points))
    bench = Aurora(path=folder / "points.json").load(museum / "cache")
    assert [(item.triplet.editor, item.value) for item in bench.ratings] == [("Alpha", 1.5), ("Beta", 2)]
    assert bench.left_out.counts == {"missing_image": 2, "unknown_label": 1, "missing_column": 1}
    pair = {
        "prompt": "Turn.",
        "path_src": "input/sample_0.jpg",
        "path1": "Alpha/sample_0.jpg",
        "path2": "Beta/sample_0.jpg",
    }
    scores = [(3, 1), (1, 3), (2, 2)]
    rows = [pair | {"model1_dim1_score": one, "model2_dim1_score": two} for one, two in scores]
    (folder / "pairs.json").write_text(json.dumps(rows))
    bench = Aurora(path=folder / "pairs.json").load(museum)
    assert [item.label for item in bench.comparisons] == ["A>B", "B>A", "A=B"]
    (folder / "wrong.json").write_text("[5]")
    with pytest.raises(DataError, match=r"wrong\.json: row 0: "):
        Aurora(path=folder / "wrong.json").load(museum)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"AB": "A>B", "BC": "A>B", "AC": "B>A"}, [["A", "B", "C"]]),
        ({"AB": "A>B", "BC": "A=B", "AC": "B>A"}, [["A", "B", "C"]]),
        ({"AB": "A>B", "BC": "A=B", "AC": "A=B"}, [["A", "B", "C"]]),
        ({"AB": "A>B", "BC": "A>B", "AC": "A>B"}, []),
        ({"AB": "A=B", "BC": "A=B", "AC": "A=B"}, []),
        ({"AB": "A>B", "BC": "A=B", "AC": "A>B"}, []),
        ({"AB": "A>B", "BC": "A>B", "CD": "A>B", "AD": "B>A"}, [["A", "B", "C", "D"]]),
        ({"AB": "A>B", "BC": "A>B", "AC": "B>A", "CD": "A>B"}, [["A", "B", "C"]]),
        ({"AB": "A>B"}, []),
    ],
)
def test_cycles(labels, found):
    item = group("g", labels)
    named = tuple(
        triplet.model_copy(update={"editor": letter})
        for letter, triplet in zip(sorted({c for pair in labels for c in pair}), item.candidates, strict=True)
    )
    item = item.model_copy(update={"candidates": named})
    assert cycles([*statements((), (), (item,))]) == found
    notes = Findings()
    note_labels(statements((), (), (item,)), (), notes)
    assert notes.counts == ({"preference_cycle": len(found)} if found else {})


def test_repeated_ratings_are_noted():
    notes = Findings()
    note_labels((), [rating("i", "m", 1), rating("i", "m", 1), rating("i", "m", 2)], notes)
    assert notes.counts == {"duplicate_rating": 1, "contradictory_ratings": 1}


def test_the_identity_of_a_benchmark_changes_with_any_label(tmp_path):
    def bench(**labels):
        return checked("b", "b", (), tmp_path, Findings(), Findings(), **labels).identity

    first, second = comparison("a", "A>B"), comparison("a", "A=B")
    identities = [
        bench(comparisons=[first]),
        bench(comparisons=[second]),
        bench(comparisons=[first, comparison("b", "A>B")]),
        bench(multiways=[group("g", {"AB": "A>B"})]),
        bench(multiways=[group("g", {"AB": "B>A"})]),
        bench(ratings=[rating("i", "m", 1)]),
        bench(ratings=[rating("i", "m", 2)]),
    ]
    assert len(set(identities)) == len(identities)


def test_candidates_of_another_task_are_refused(tmp_path):
    item = comparison("a", "A>B", second=candidate("other", "b"))
    with pytest.raises(DataError, match="other tasks"):
        checked("b", "b", (), tmp_path, Findings(), Findings(), comparisons=[item])


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_entry_of_the_table_loads_and_says_what_it_is(name):
    assert load(BENCHMARKS[name]).__doc__


@pytest.mark.parametrize("path", ["../secret.jpg", "Alpha/../../secret.jpg", "a\0.jpg", "/etc/hostname"])
def test_an_image_outside_the_folder_of_images_is_left_out(museum, path):
    folder = museum / "museum"
    shutil.copy(folder / "Alpha" / "sample_0.jpg", museum / "secret.jpg")
    row = {"prompt": "Turn.", "input": "input/sample_0.jpg", "gen": "Alpha/sample_0.jpg", "score": 3, "model": "A"}
    (folder / "points.json").write_text(json.dumps([row, row | {"gen": path}]))
    bench = Aurora(path=folder / "points.json").load(museum)
    assert len(bench.ratings) == 1
    assert bench.left_out.counts == {"missing_image": 1}
