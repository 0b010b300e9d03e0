"""VIEScore's figures by VIEScore's formula: against what its notebook prints, and by hand."""

from pathlib import Path

import numpy as np
import pytest
from label_ground import benchmark, card, evaluation, rating
from places import DATA
from scipy.stats import spearmanr

from editjudge.files.io import write_jsonl, write_marker
from eval.benchmarks.imagenhub import ImagenHub
from eval.compare.verdict import compare_folders
from eval.evaluations.answers import write_answers
from eval.metrics.labels import measure_labels
from eval.metrics.viescore import measure_viescore, printed

TABLES = DATA / "imagenhub" / "Text-Guided_IE"
SCALES = ("semantic", "quality", "overall")
# Output of `iterate_all_results_human2human(use_spearmanr=1)`, analyze_json.ipynb of TIGER-AI-Lab/VIEScore @aeb1f18.
PEOPLE = {
    "Prompt2prompt": (0.588, 0.5028, 0.5811),
    "CycleDiffusion": (0.5482, 0.5887, 0.5891),
    "SDEdit": (0.2657, 0.4705, 0.1991),
    "DiffEdit": (0.3286, 0.6214, 0.4265),
    "MagicBrush": (0.6219, 0.519, 0.6289),
    "Text2Live": (0.2675, 0.5757, 0.1524),
    "Pix2PixZero": (0.3311, 0.577, 0.3327),
    "InstructPix2Pix": (0.66, 0.5955, 0.6561),
}
# Output of `iterate_all_results_corr(use_spearmanr=1)` there: Gemini, zero-shot, text-guided editing.
GEMINI = {
    "semantic": ((0.3249, 0.4387, 0.1091, 0.1719, 0.4689, 0.1368, 0.197, 0.4856), 0.2836),
    "quality": ((0.3611, 0.5941, 0.4078, 0.5632, 0.4927, 0.4136, 0.4698, 0.3684), 0.4291),
    "overall": ((0.3268, 0.4009, 0.1077, 0.0947, 0.4727, 0.1356, 0.2188, 0.4822), 0.2728),
}


def judged(bench, value=lambda place: (5.0, 5.0)) -> dict:
    """A card per output, of SC and PQ; None leaves one of the two out."""
    cards = {}
    for place, triplet in enumerate(bench.triplets):
        semantic, quality = value(place)
        known = semantic is not None and quality is not None
        overall = round(10 * (semantic / 10 * quality / 10) ** 0.5, 9) if known else None
        cards[triplet.id] = card(
            triplet, prompt_following=semantic, consistency=semantic, perceptual_quality=quality, overall=overall
        )
    return cards


@pytest.mark.parametrize("model", sorted(PEOPLE))
def test_people_agree_per_model_as_the_notebook_prints(model):
    """tanh of the mean over raters, rho of each with the mean of the other two; the model's tanh is taken off again."""
    bench = ImagenHub(ratings=TABLES, models=(model,)).load(Path("unused"))
    found = measure_labels(bench, judged(bench), None, rounds=100, seed=0).as_json()["ratings"]
    values = [np.arctanh(found[scale]["human"]["viescore"]["value"]) for scale in SCALES]
    assert np.round(values, 4) == pytest.approx(PEOPLE[model], abs=1e-9)


def test_people_are_of_the_models_that_the_judge_scored():
    """tanh of the mean of the printed values; by hand 0.4230 0.5053 0.4184. Imagic is in the tables alone."""
    bench = ImagenHub(ratings=TABLES).load(Path("unused"))
    cards = judged(bench)
    scored = {name: cards[name] for name in cards if cards[name].triplet.editor in PEOPLE}
    found = measure_labels(bench, scored, None, rounds=200, seed=0).as_json()["ratings"]
    for place, scale in enumerate(SCALES):
        people = found[scale]["human"]["viescore"]
        assert people["value"] == pytest.approx((0.4230, 0.5053, 0.4184)[place], abs=5e-5)
        assert people["value"] == pytest.approx(np.tanh(np.mean([row[place] for row in PEOPLE.values()])), abs=5e-5)
        assert set(found[scale]["viescore"]["models"]) == set(PEOPLE)
    people = found["quality"]["human"]["viescore"]
    assert people["low"] < people["value"] < people["high"]
    # All raters gave all of Imagic's outputs SC 0: with it the printed figure is "nan".
    found = measure_labels(bench, cards, None, rounds=100, seed=0).as_json()["ratings"]
    assert found["semantic"]["human"]["viescore"]["value"] is None
    assert found["quality"]["human"]["viescore"]["value"] is not None


@pytest.mark.parametrize("scale", SCALES)
def test_a_judges_task_is_averaged_as_the_notebook_prints(scale):
    by_model, task = GEMINI[scale]
    assert printed(np.array(by_model)) == pytest.approx(task, abs=1e-4)


def worked(judge, people):
    """Ratings and cards of model x; `judge` and `people` hold (SC, PQ) per image."""
    ratings, cards = [], {}
    for image, (semantic, quality) in enumerate(people):
        for scale, value in zip(SCALES, (semantic, quality, (semantic * quality) ** 0.5), strict=True):
            ratings.append(rating(f"i{image}", "x", round(value, 9), raters=(round(value, 9),), scale=scale))
    bench = benchmark(ratings=tuple(ratings))
    cards = judged(bench, lambda place: judge[place])
    return bench, cards


def test_only_images_with_both_scores_count():
    """SC of people 1 2 3 4 5 and of the judge 1 2 3 4 0: rho -0.0 without the fifth it is 1. The fifth has no PQ."""
    judge = [(1.0, 5.0), (2.0, 4.0), (3.0, 6.0), (4.0, 7.0), (0.0, None)]
    people = [(1, 2), (2, 1), (3, 3), (4, 4), (5, 5)]
    bench, cards = worked(judge, people)
    found = measure_labels(bench, cards, None, rounds=100, seed=0).as_json()["ratings"]["semantic"]
    assert found["spearman"]["mean"]["value"] == pytest.approx(spearmanr([1, 2, 3, 4, 5], [1, 2, 3, 4, 0]).statistic)
    assert found["spearman"]["viescore"]["value"] == pytest.approx(np.tanh(1), abs=1e-6)
    assert found["viescore"] == {"models": {"x": {"n": 4, "spearman": 1}}, "undefined": []}


def test_overall_values_are_products_compared_to_the_last_bit():
    """0.1 x 0.9 is 0.09000000000000001 and 0.3 x 0.3 is 0.09: no tie in VIEScore's numbers, one in our mean."""
    judge = [(1.0, 9.0), (3.0, 3.0), (8.0, 8.0), (2.0, 2.0)]
    people = [(3, 3), (2, 2), (4, 4), (1, 1)]
    bench, cards = worked(judge, people)
    found = measure_labels(bench, cards, None, rounds=100, seed=0).as_json()["ratings"]["overall"]
    exact = [(a / 10.0 * (b / 10.0)) ** 0.5 for a, b in judge]
    assert exact[0] > exact[1]
    assert found["viescore"]["models"]["x"]["spearman"] == pytest.approx(spearmanr(exact, [3, 2, 4, 1]).statistic)
    rounded = spearmanr(np.round(exact, 9), [3, 2, 4, 1]).statistic
    assert found["models"]["x"]["spearman"]["value"] == pytest.approx(rounded, abs=1e-6) != 1


def test_one_undefined_model_makes_the_figure_undefined():
    """The notebook's mean of a list with nan is nan; our mean leaves the model out."""
    ratings = [rating(f"i{n}", model, float(n)) for model in "xz" for n in range(6)]
    cards = {
        item.triplet.id: card(item.triplet, overall=item.value if item.triplet.editor == "x" else 5.0)
        for item in ratings
    }
    found = measure_viescore(ratings, cards, "overall", rounds=200, seed=0)
    assert found.judge.value is None
    assert found.of.undefined == ["z"]
    assert found.people is None
    only = {name: made for name, made in cards.items() if made.triplet.editor == "x"}
    assert measure_viescore(ratings, only, "overall", 200, 0).judge.value == pytest.approx(np.tanh(1), abs=1e-6)


def test_a_model_with_one_of_the_two_scores_alone_is_undefined_not_left_out():
    """Its folder has SC.json and no PQ.json: VIEScore's code stops there."""
    bench, cards = worked([(1.0, None), (2.0, None)], [(1, 2), (2, 1)])
    found = measure_labels(bench, cards, None, rounds=100, seed=0).as_json()["ratings"]["semantic"]
    assert found["spearman"]["viescore"]["value"] is None
    assert found["viescore"]["undefined"] == ["x"]


def test_compare_takes_the_outputs_that_both_judges_gave_both_scores(tmp_path):
    """The sixth image lacks B's PQ: A's semantic order is perfect over six and five, B's over five only."""
    people = [(1, 2), (2, 1), (3, 4), (4, 3), (5, 5), (6, 6)]
    a = [(float(n), float(n)) for n in range(1, 7)]
    b = [*a[:5], (0.0, None)]
    for name, judge in (("a", a), ("b", b)):
        bench, cards = worked(judge, people)
        write_answers(evaluation(tmp_path / name, bench, cards))
        write_jsonl(tmp_path / name / "pairs.jsonl", [])
        write_marker(tmp_path / name / "done.json", {}, {"left_out": 0})
    [verdict] = compare_folders(tmp_path / "a", tmp_path / "b", rounds=200)
    rows = {(row.figure, row.scope): row for row in verdict.differences}
    theirs, ours = rows["semantic, Spearman", "viescore"], rows["semantic, Spearman", "all"]
    assert (theirs.n, theirs.a, theirs.b) == (5, pytest.approx(np.tanh(1)), pytest.approx(np.tanh(1)))
    assert (ours.n, ours.a) == (6, pytest.approx(1))
    assert ours.b == pytest.approx(spearmanr(range(6), [1, 2, 3, 4, 5, 0]).statistic)
