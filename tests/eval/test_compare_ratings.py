"""`editjudge compare` on ratings: rank correlations of two judges, paired, per scale and per editing model."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from label_ground import benchmark, card, evaluation, rating
from scipy.stats import spearmanr

from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, write_jsonl, write_marker
from editjudge.statistics.bootstrap import draw_weights
from eval.compare.command import main
from eval.compare.paired import corrected
from eval.compare.ratings import RatedByBoth, rating_differences
from eval.compare.verdict import compare_folders
from eval.evaluations.answers import RatedOutput, write_answers


def both(model, human, a, b, scale="overall"):
    """Ratings of one model; image i is `i<number>`."""
    return [RatedByBoth(scale, model, f"i{place}", *given) for place, given in enumerate(zip(human, a, b, strict=True))]


def by_scope(found):
    return {(item.scope, item.task): item for item in found}


def test_figures_by_hand():
    """Two neighbours of six exchanged: rho 1 - 6 * 2 / (6 * 35). x: A in order, B so; y: A so, B reversed."""
    order, swapped = [1.0, 2, 3, 4, 5, 6], [2.0, 1, 3, 4, 5, 6]
    near = 1 - 6 * 2 / (6 * 35)
    ratings = both("x", order, order, swapped) + both("y", order, [1.0, 2, 3, 4, 6, 5], order[::-1])
    found = by_scope(rating_differences(ratings, 500, 0))
    assert list(found) == [("all", None), ("viescore", None), ("model", "x"), ("model", "y")]
    mean, vie, x, y = found.values()
    assert (mean.a, mean.b, mean.value) == pytest.approx(((1 + near) / 2, (near - 1) / 2, 1))
    assert (vie.a, vie.b) == pytest.approx((math.tanh((1 + near) / 2), math.tanh((near - 1) / 2)))
    assert (x.a, x.b, y.a, y.b) == pytest.approx((1, near, near, -1))
    assert (mean.n, mean.n_groups, x.n, x.n_groups) == (12, 6, 6, 6)
    assert mean.low <= mean.value <= mean.high
    assert {item.unit for item in found.values()} == {"correlation"}
    assert mean.power.groups >= 5


def test_resamples_are_paired_and_of_whole_images():
    """Checked against a plain loop with scipy over the same draws."""
    generator = np.random.default_rng(2)
    human, a, b = generator.integers(0, 5, (3, 12)).astype(float)
    ratings = both("x", human, a, b)
    item = rating_differences(ratings, 300, 4)[0]
    expected = []
    for weights in np.concatenate(list(draw_weights(12, 300, 4))):
        rows = np.repeat(np.arange(12), weights.astype(int))
        expected.append(spearmanr(human[rows], a[rows]).statistic - spearmanr(human[rows], b[rows]).statistic)
    ends = np.nanquantile(expected, (0.025, 0.975))
    assert (item.low, item.high) == pytest.approx(tuple(ends))
    assert item.p_one_sided == pytest.approx((np.array(expected) <= 1e-12).mean())


def test_only_what_both_scored_counts_and_constant_models_are_left_out_of_both_means():
    order = [1.0, 2, 3, 4, 5, 6]
    ratings = both("x", order, order, [*order[:5], None]) + both("z", order, order[::-1], [5.0] * 6)
    found = by_scope(rating_differences(ratings, 200, 0))
    mean, z = found["all", None], found["model", "z"]
    assert (mean.a, mean.b, mean.value, mean.n, mean.n_groups) == (1, 1, 0, 5, 5)
    assert (z.a, z.b, z.value, z.low, z.p_holm) == (None, None, None, None, None)
    assert rating_differences(both("x", order, [None] * 6, order), 200, 0) == []


def test_too_few_images_get_no_test_and_models_are_corrected_for_their_number():
    order = [1.0, 2, 3, 4]
    assert rating_differences(both("x", order, order, order[::-1]), 200, 0)[0].low is None
    generator = np.random.default_rng(0)
    ratings = [
        row for model in "xyz" for row in both(model, *generator.permuted(np.tile(np.arange(20.0), (3, 1)), axis=1))
    ]
    models = [item for item in corrected(rating_differences(ratings, 500, 0)) if item.scope == "model"]
    assert min(item.p_holm for item in models) == pytest.approx(min(1, 3 * min(item.p_two_sided for item in models)))


RATINGS = tuple(rating(f"i{image}", model, float(image)) for model in ("x", "y") for image in range(20))


@pytest.fixture
def folders(tmp_path):
    """Finished evaluations of a judge that is nearly right and of one that guesses."""
    generator = np.random.default_rng(0)
    found = []
    for name, noise in (("good", 1.0), ("bad", 60.0)):
        cards = {
            item.triplet.id: card(
                item.triplet, overall=float(np.clip(item.value / 4 + generator.normal(0, noise / 4), 0, 10))
            )
            for item in RATINGS
        }
        if name == "bad":
            cards.popitem()
        folder = tmp_path / name / "bench"
        found.append(folder)
        write_answers(evaluation(folder, benchmark(ratings=RATINGS), cards))
        write_jsonl(folder / "pairs.jsonl", [])
        write_marker(folder / "done.json", {}, {"left_out": 0})
    return found


def test_every_evaluation_writes_its_ratings(folders):
    rows = list(read_jsonl(folders[1] / "ratings.jsonl", RatedOutput))
    assert [(row.model, row.task_id, row.human) for row in rows[:2]] == [("x", "i0", 0), ("x", "i1", 1)]
    assert [row.judge is None for row in rows] == [False] * 39 + [True]


def test_the_command_in_words_and_as_json(folders, tmp_path, capsys):
    good, bad = folders
    assert main([str(good), str(bad), "--rounds", "500", "--json", str(tmp_path / "c.json")]) == 0
    printed = capsys.readouterr().out
    for expected in (
        "bench: 40 ratings",
        "left out for both: A 0, B 1 of 40.",
        "Overall, Spearman: A 0.9",
        "over 39 ratings of 20 images, mean over editing models.",
        "A is better, by more than noise (significant).",
        "As VIEScore prints it: +",
        "By editing model, corrected for all editing models and figures: A is better in x, y.",
    ):
        assert expected in printed
    [content] = json.loads((tmp_path / "c.json").read_text())["benchmarks"]
    rows = {(row["scope"], row["task"]): row for row in content["differences"]}
    assert set(rows["all", None]) == {
        *("figure", "scope", "task", "n", "n_groups", "a", "b", "value", "low", "high", "p_one_sided"),
        *("p_two_sided", "p_holm", "power", "unit", "significant"),
    }
    assert (content["n_common"], content["n_ratings"], content["unscored_ratings_b"]) == (40, 40, 1)
    assert rows["all", None]["significant"]
    assert rows["viescore", None]["a"] == pytest.approx(math.tanh(rows["all", None]["a"]), abs=1e-5)


def test_a_judge_against_itself_is_noise(folders, capsys):
    main([str(folders[0]), str(folders[0]), "--rounds", "200"])
    printed = capsys.readouterr().out
    assert "No difference at all" in printed
    assert "better, by more" not in printed


def test_folders_made_before_ratings_were_kept_are_told(folders):
    (folders[0] / "ratings.jsonl").unlink()
    with pytest.raises(DataError, match=r"good/bench: .*ratings\.jsonl"):
        compare_folders(*folders)
    (folders[1] / "ratings.jsonl").unlink()
    with pytest.raises(DataError, match=r"ratings\.jsonl.*no judge is asked"):
        compare_folders(*folders)


def test_another_rating_is_refused(folders):
    rows = list(read_jsonl(folders[0] / "ratings.jsonl", RatedOutput))
    write_jsonl(folders[0] / "ratings.jsonl", [rows[0].model_copy(update={"human": 99.0}), *rows[1:]])
    with pytest.raises(DataError, match="two labels"):
        compare_folders(*folders)
