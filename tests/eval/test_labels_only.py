"""Labels without images: every format that needs none for scores made elsewhere, the names that files may use there,
and the same labels with images."""

from __future__ import annotations

import json

import pytest
from bench_ground import (
    genai_row,
    png,
    write,  # noqa: F401  (a fixture)
)
from eval_recipes import scores_recipe
from eval_world import write_benchmark
from factories import make_image

from editjudge.errors import DataError
from editjudge.files.io import write_jsonl
from editjudge.images.store import ImageStore
from eval.benchmarks.aurora import Aurora
from eval.benchmarks.editreward_bench import EditRewardBench
from eval.benchmarks.genai_bench import GenAIBench
from eval.benchmarks.pairs import Pairs
from eval.benchmarks.tiger_editreward_bench import TigerEditRewardBench
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.inputs import refuse_without_images
from eval.run import run_eval

IMAGES = {
    "genai": ["source_image", "left_output_image", "right_output_image"],
    "tiger": ["source_image", "candidate_1", "candidate_2"],
    "editreward": ["input_image", "output_images"],
}


def tiger_rows() -> list[dict]:
    images = {"A": png(1), "B": png(2), "C": png(3)}
    rankings = {"AvsB": "A>B", "AvsC": "A>C", "BvsC": "B>C"}
    return [
        {
            "id": f"g1_{kind}",
            "instruction": "Make it pink.",
            "source_image": png(0),
            "candidate_1": images[kind[0]],
            "candidate_2": images[kind[-1]],
            "ranking": ranking,
            "comparison_type": kind,
            "dataset": "3pair",
            "model_1": f"model {kind[0]}",
            "model_2": f"model {kind[-1]}",
        }
        for kind, ranking in rankings.items()
    ]


def editreward_folder(root, with_images=True):
    """One pair in EditReward-Bench's schema."""
    import datasets

    rows = {
        "key": [["k1", "k2"]],
        "instruction": ["Make it pink."],
        "input_image": [png(0)],
        "output_images": [[png(1), png(2)]],
        "task_type": ["color_alter"],
        "dimension": ["overall"],
    }
    kinds = {
        "key": datasets.List(datasets.Value("string")),
        "instruction": datasets.Value("string"),
        "input_image": datasets.Image(),
        "output_images": datasets.List(datasets.Image()),
        "task_type": datasets.Value("string"),
        "dimension": datasets.Value("string"),
    }
    table = datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))
    if not with_images:
        table = table.remove_columns(IMAGES["editreward"])
    (root / "er").mkdir(exist_ok=True)
    table.to_parquet(root / "er" / "data.parquet")
    return root / "er"


def score(path, bench, **columns):
    write_jsonl(path, [{"id": name, "overall": value} for name, value in columns.items()])
    found = read_scores(ScoresFile(path=path), bench)
    assert found.findings.as_json() == {}
    return {card.overall for card in found.cards.values()}


@pytest.mark.parametrize("columns", ["kept", "dropped"])
def test_genai_bench(write, tmp_path, columns):  # noqa: F811
    drop = IMAGES["genai"] if columns == "dropped" else []
    path = write([genai_row()], "image_edition/test_v1-00000-of-00001.parquet", drop=drop)
    bench = GenAIBench(path=str(path), labels_only=True).load(tmp_path / "cache")
    assert not bench.has_images
    assert not (tmp_path / "cache").exists()
    assert score(tmp_path / "s.jsonl", bench, **{"0-left": 7, "0-right": 3}) == {7, 3}


@pytest.mark.parametrize("columns", ["kept", "dropped"])
def test_tiger_editreward_bench(write, tmp_path, columns):  # noqa: F811
    drop = IMAGES["tiger"] if columns == "dropped" else []
    path = write(tiger_rows(), "data.parquet", drop=drop)
    bench = TigerEditRewardBench(path=str(path), labels_only=True).load(tmp_path / "cache")
    assert [len(group.candidates) for group in bench.multiways] == [3]
    assert not bench.has_images
    assert score(tmp_path / "s.jsonl", bench, **{"g1-A": 9, "g1-B": 5, "model C": 1}) == {9, 5, 1}


@pytest.mark.parametrize("columns", ["kept", "dropped"])
def test_editreward_bench(write, tmp_path, columns):  # noqa: F811
    path = editreward_folder(tmp_path, columns == "kept")
    bench = EditRewardBench(path=str(path), labels_only=True).load(tmp_path / "cache")
    assert (len(bench.pairs), bench.has_images) == (1, False)
    assert score(tmp_path / "s.jsonl", bench, k1=8, k2=2) == {8, 2}


def test_aurora_and_pairs(tmp_path):
    rows = [
        {"prompt": "Pink.", "input": "in/1.png", "gen": f"{model}/1.png", "score": 0.5, "model": model}
        for model in ("one", "two")
    ]
    (tmp_path / "aurora.json").write_text(json.dumps(rows))
    bench = Aurora(path=tmp_path / "aurora.json", labels_only=True).load(tmp_path)
    assert (len(bench.ratings), bench.has_images, bench.left_out.counts) == (2, False, {})
    assert score(tmp_path / "s.jsonl", bench, **{"one/1.png": 8, "two/1.png": 2}) == {8, 2}

    pairs = write_benchmark(tmp_path / "bench", groups=1)
    (tmp_path / "elsewhere").mkdir()
    moved = pairs.rename(tmp_path / "elsewhere" / "pairs.jsonl")
    with pytest.raises(DataError, match="missing_image"):
        Pairs(path=moved).load(tmp_path)
    bench = Pairs(path=moved, labels_only=True).load(tmp_path)
    assert (len(bench.pairs), bench.has_images) == (9, False)
    assert score(tmp_path / "s.jsonl", bench, **{"0-0.png": 9, "edits/0-1.png": 5, "editor2": 1}) == {9, 5, 1}


def test_a_judge_is_refused_and_told_why(tmp_path):
    pairs = write_benchmark(tmp_path, groups=1)
    with pytest.raises(DataError, match="`labels_only`"):
        refuse_without_images([Pairs(path=pairs, labels_only=True).load(tmp_path)])


def test_scores_of_labels_alone_stand_in_one_leaderboard_with_those_with_images(tmp_path):
    pairs = write_benchmark(tmp_path / "bench", groups=2)
    bench = Pairs(path=pairs).load(pairs.parent)
    rows = [{"id": triplet.id, "overall": place % 3} for place, triplet in enumerate(bench.triplets)]
    write_jsonl(tmp_path / "s.jsonl", rows)
    with_images = {"use": "pairs", "path": str(pairs)}
    run_eval(scores_recipe(tmp_path / "one", pairs, tmp_path / "s.jsonl", bench=[with_images]))
    others = {"results": [str(tmp_path / "one" / "results.json")]}
    alone = [with_images | {"labels_only": True}]
    results = run_eval(
        scores_recipe(tmp_path / "two", pairs, tmp_path / "s.jsonl", bench=alone, leaderboard=others)
    ).as_json()
    assert sorted(row["kind"] for row in results["leaderboard"][0]["rows"]) == ["measured", "other"]
    assert ImageStore(pairs.parent).read(bench.triplets[0].edited).size == make_image(width=32, height=24).size
