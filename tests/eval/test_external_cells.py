"""Odd cells of AURORA's tables and of GEdit's CSV files: what their code makes of them, and ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from eval_recipes import scores_recipe
from eval_world import write_benchmark
from published_ground import write
from scipy.stats import spearmanr

from eval.benchmarks.aurora import Aurora
from eval.benchmarks.pairs import Pairs
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.run import run_eval


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"), groups=2)


def test_auroras_ratings_per_model_with_odd_cells(tmp_path):
    """evaluate_aurora_from_json_pointwise: Spearman per model, plain mean; a row without a model is of "unknown".

    one: people 1 2 3 and judge 1 2 3 give 1; unknown: people 1 2 3, judge 3 1 2 give -0.5; mean 0.25. Of the model
    "flat" the judge gives all the same: its coefficient is undefined, and so is EditReward's mean. Ours leaves it out.
    """
    given = {"one": ([1, 2, 3], [1, 2, 3]), None: ([1, 2, 3], [3, 1, 2]), "flat": ([1, 2, 3], [5, 5, 5])}
    rows, scores = [], []
    for model, (people, judge) in given.items():
        for place, (score, value) in enumerate(zip(people, judge, strict=True)):
            row = {"prompt": "Pink.", "input": f"{place}.png", "gen": f"{model}/{place}.png", "score": score}
            rows.append(row | ({} if model is None else {"model": model}))
            scores.append({"image": f"{model}/{place}.png", "overall": value})
    bench = [{"use": "aurora", "path": str(write(tmp_path / "points.json", rows)), "labels_only": True}]
    file = write(tmp_path / "s.json", scores)
    results = run_eval(scores_recipe(tmp_path / "out", tmp_path, file, bench=bench)).as_json()
    found = results["evaluations"][0]["labels"]["ratings"]["overall"]
    assert {name: about["spearman"]["value"] for name, about in found["models"].items()} == {
        "one": 1,
        "unknown": -0.5,
        "flat": None,
    }
    assert found["spearman"]["mean"]["value"] == 0.25
    assert found["undefined"] == ["flat"]


def test_auroras_pairs_take_the_order_of_two_scores_as_the_label(tmp_path):
    """main of eval_bench.py: equal model1_dim1_score and model2_dim1_score are a tie, whatever the overall scores."""
    cells = {"prompt": "Pink.", "path_src": "s.png", "model1_overall_score": 9, "model2_overall_score": 1}
    rows = [
        cells | {"path1": f"a{n}.png", "path2": f"b{n}.png", "model1_dim1_score": one, "model2_dim1_score": other}
        for n, (one, other) in enumerate([(2, 1), (1, 2), (1.5, 1.5), (None, 1), ("2", 1)])
    ]
    bench = Aurora(path=write(tmp_path / "pairs.json", rows), labels_only=True).load(tmp_path)
    assert [item.label for item in bench.comparisons] == ["A>B", "B>A", "A=B"]
    assert bench.left_out.counts == {"unknown_label": 2}  # the first stops there, and so does comparing text with 1


def test_imagenhubs_json_table_gives_editrewards_figure(tmp_path):
    """evaluate_imagenhub_from_json of eval_bench.py: z is the plain mean of rho over models, and the figure
    (exp(2z) - 1) / (exp(2z) + 1); our own mean is z."""
    generator = np.random.default_rng(2)
    rows, scores, rho = [], [], []
    for model in ("MagicBrush", "SDEdit", "DiffEdit"):
        people, judge = generator.permutation(12), generator.integers(0, 11, 12)
        rho.append(spearmanr(judge, people).statistic)
        for place in range(12):
            path = {"input_path": f"input/{place}.jpg", "output_path": f"{model}/{place}.jpg"}
            rows.append(path | {"instruction": f"Edit {place}.", "score": int(people[place]), "model": model})
            scores.append({"image": f"{model}/{place}.jpg", "overall": int(judge[place])})
    bench = [{"use": "aurora", "path": str(write(tmp_path / "t.json", rows)), "labels_only": True, "name": "IH"}]
    results = run_eval(
        scores_recipe(tmp_path / "out", tmp_path, write(tmp_path / "s.json", scores), bench=bench)
    ).as_json()
    found = results["evaluations"][0]["labels"]["ratings"]["overall"]["spearman"]
    z = sum(rho) / len(rho)
    assert found["viescore"]["value"] == pytest.approx((math.exp(2 * z) - 1) / (math.exp(2 * z) + 1), abs=1e-6)
    assert found["mean"]["value"] == pytest.approx(z, abs=1e-6)


@pytest.mark.parametrize(
    ("semantic", "quality", "overall", "problem"),
    [
        ("4", "9", 6, None),  # math.sqrt(4 * 9)
        ("0", "9", 0, None),
        ("-1", "-1", None, "unreadable_score"),  # 1 there: the product of two failures
        ("-1", "9", None, "unreadable_score"),  # math domain error there
        ("", "9", None, "unreadable_score"),  # NaN there, and so the mean of its group
        ("12", "3", 6, None),  # SC itself is not looked at
        ("12", "12", None, "out_of_range"),  # 12 there
    ],
)
def test_gedits_csv_with_odd_cells(tmp_path, pairs, semantic, quality, overall, problem):
    """analyze_scores: overall = math.sqrt(sementics_score * quality_score) per row."""
    bench = Pairs(path=pairs).load(pairs.parent)
    triplet = bench.triplets[0]
    head = "source_image,edited_image,instruction,sementics_score,quality_score,intersection_exist,instruction_language"
    row = f'src.png,/r/{triplet.edited.path},"{triplet.task.instruction}",{semantic},{quality},True,en'
    (tmp_path / "m_color_alter_gpt_score.csv").write_text(f"{head}\n{row}\n")
    found = read_scores(ScoresFile(path=tmp_path), bench)
    assert found.format == "gedit"
    assert found.cards[triplet.id].overall == overall
    assert problem is None or problem in found.findings.counts
