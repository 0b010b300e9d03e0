"""VIEScore's result files as VIEScore writes them, read as its own code does and by our rules; both are named."""

import json
import re
import shutil
from collections.abc import Iterator
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from eval_recipes import labels_recipe as make_recipe
from places import DATA
from scipy.stats import spearmanr

from editjudge.errors import DataError
from eval.benchmarks.imagenhub import ImagenHub
from eval.compare.command import main as compare
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.external.viescore import published_score
from eval.run import run_eval

TABLES = DATA / "imagenhub" / "Text-Guided_IE"
GUESS = "guess_if_cannot_parse | The edit looks fine to me."
# What `write_entry_to_json_file` leaves in a file, and values that a judge made up.
ODD = [
    ([7, 9], 7),
    ([6], 6),  # text-to-image asks for one; so does an output identical to its input
    ([8, 3, 9], 3),  # several concepts
    (5, 5),
    (7.5, 7.5),
    ([7.9, 8], 7),  # in a list cut to a whole number
    (["4", " 8 "], 4),
    ("7", 7),
    ("10", 0),  # character by character
    ([12, 11], 10),
    (85, 10),
    ([-2, 5], 0),
    ([True, 5], 1),
    ([], None),
    ("", None),
    (None, None),
    ([7, None], None),
    (["7.5", 8], None),
    ("7/10", None),
    ([[7], 8], None),
    ({"score1": 7}, None),
    (float("nan"), None),
    ([float("inf"), 5], None),
    (10**400, None),
]


@pytest.mark.parametrize(("raw", "expected"), ODD, ids=lambda value: str(value)[:20])
def test_a_score_as_the_published_code_reads_it(raw, expected):
    """analyze_json.ipynb: a number over 10, else the minimum of `int` of each item over 10, clamped to 0..1."""
    assert published_score(raw) == expected
    try:
        number = raw / 10.0 if isinstance(raw, int | float) else min([int(item) for item in raw]) / 10.0
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    assert (None if np.isnan(number) else min(max(number, 0.0), 1.0)) == (None if expected is None else expected / 10)


@pytest.fixture
def bench():
    return ImagenHub(ratings=TABLES, models=("MagicBrush", "SDEdit")).load(Path("unused"))


def images(bench) -> list[str]:
    return list(dict.fromkeys(triplet.task.origin.source for triplet in bench.triplets))


def write(folder: Path, semantic: dict, quality: dict, models=("MagicBrush", "SDEdit"), reasoning="Fine.") -> Path:
    """`<editing model>/SC.json` and `PQ.json`; a value that is a block is written as it is."""
    for model in models:
        (folder / model).mkdir(parents=True)
        for name, scores in (("SC", semantic), ("PQ", quality)):
            rows = {
                uid: raw if isinstance(raw, dict) and "score" in raw else {"score": raw, "reasoning": reasoning}
                for uid, raw in scores.items()
            }
            (folder / model / f"{name}.json").write_text(json.dumps(rows, indent=4))
    return folder


def read(path, bench, reading):
    found = read_scores(ScoresFile(path=path), bench, reading)
    return {(card.triplet.editor, card.triplet.task.origin.source): card for card in found.cards.values()}, found


def test_one_file_in_two_readings(tmp_path, bench):
    """Two scores are alike in both; a guess, one number, three, text and 12 are read by VIEScore's code alone."""
    some = images(bench)[:9]
    odd = [[8, 4], {"score": [9], "reasoning": GUESS}, [6], [8, 3, 9], 5, "7", ["4", "8"], [12, 9], None]
    folder = write(tmp_path / "gpt4o", dict(zip(some, odd, strict=True)), {uid: [5, 9] for uid in some})
    cards, found = read(folder, bench, "published")
    semantic = [cards["SDEdit", uid].judgments[0].scores for uid in some]
    assert semantic == [(8, 4), (9, 9), (6, 6), (3, 3), (5, 5), (7, 7), (4, 8), (10, 9), None]
    assert cards["SDEdit", some[0]].overall == pytest.approx(sqrt(4 * 5))
    assert cards["SDEdit", some[3]].overall == pytest.approx(sqrt(3 * 5))
    assert cards["SDEdit", some[3]].rationale == "Fine."
    # A single number says nothing of the two dimensions.
    dimensions = [(cards["SDEdit", uid].prompt_following, cards["SDEdit", uid].consistency) for uid in some]
    assert dimensions == [(8, 4), *[(None, None)] * 5, (4, 8), (10, 9), (None, None)]
    assert found.findings.counts == {"unreadable_score": 2, "no_score": 2 * (len(images(bench)) - 9)}
    cards, found = read(folder, bench, "ours")
    assert [cards["SDEdit", uid].overall is not None for uid in some] == [True, *[False] * 5, True, False, False]
    counts = {name: n for name, n in found.findings.counts.items() if name != "no_score"}
    assert counts == {"guessed_score": 2, "not_two_scores": 2 * 5, "out_of_range": 2}


def notebook(folder: Path, bench) -> Iterator[tuple[str, list[float]]]:
    """VIEScore's correlations per editing model, written again from what analyze_json.ipynb computes."""
    people = {(item.triplet.editor, item.triplet.task.origin.source, item.scale): item.raters for item in bench.ratings}
    for model in sorted(path.name for path in folder.iterdir()):
        given = [json.loads((folder / model / name).read_text()) for name in ("SC.json", "PQ.json")]
        common = sorted(set(given[0]) & set(given[1]))

        def unit(raw):
            low = raw / 10.0 if isinstance(raw, int | float) else min(int(item) for item in raw) / 10.0
            return min(1.0, max(0.0, low))

        sc, pq = ([unit(part[uid]["score"]) for uid in common] for part in given)
        human = [[np.mean(people[model, uid, scale]) for uid in common] for scale in ("semantic", "quality")]
        raters = [zip(*(people[model, uid, scale] for scale in ("semantic", "quality")), strict=True) for uid in common]
        human.append([np.mean([sqrt(a * b) for a, b in each]) for each in raters])
        judge = [sc, pq, [sqrt(a * b) for a, b in zip(sc, pq, strict=True)]]
        yield model, [spearmanr(a, b).statistic for a, b in zip(judge, human, strict=True)]


def odd_folder(folder: Path, bench) -> Path:
    """A file as a weak judge leaves it: a third guesses, some text, some above 10; a few lack one of the two scores."""
    generator = np.random.default_rng(3)
    uids = images(bench)
    mean = {item.triplet.task.origin.source: item.value for item in bench.ratings if item.scale == "semantic"}
    semantic, quality = {}, {}
    for place, uid in enumerate(uids):
        level = int(np.clip(round(10 * mean[uid] + generator.normal(0, 3)), 0, 10))
        shapes = [[level, 10], [level], level, [level, 9, 10], [str(level)], [level + 3, level + 2]]
        guess = {"score": [int(generator.integers(0, 11))], "reasoning": GUESS}
        semantic[uid] = guess if place % 3 == 0 else shapes[place % len(shapes)]
        if place % 10:
            quality[uid] = [int(generator.integers(2, 9)), int(generator.integers(2, 9))]
    del semantic[uids[1]]
    return write(folder, semantic, quality)


def test_a_file_with_odd_scores_gives_the_figure_of_the_published_code(tmp_path, bench):
    folder = odd_folder(tmp_path / "llava", bench)
    recipe = make_recipe(
        tmp_path / "out",
        {"use": "imagenhub", "ratings": str(TABLES), "models": ["MagicBrush", "SDEdit"]},
        judge=None,
        scores=folder,
    )
    results = run_eval(recipe).as_json()
    published, ours = results["evaluations"]
    assert [row["reading"] for row in (published, ours)] == ["as published", "ours"]
    assert [row["label"] for row in (published, ours)] == ["llava, as published", "llava, ours"]
    by_model = dict(notebook(folder, bench))
    for place, scale in enumerate(("semantic", "quality", "overall")):
        found = published["labels"]["ratings"][scale]
        values = [rho[place] for rho in by_model.values()]
        for model, rho in by_model.items():
            assert found["viescore"]["models"][model]["spearman"] == pytest.approx(rho[place], abs=1e-6)
            assert found["viescore"]["models"][model]["n"] == 179 - 18 - 1
        assert found["spearman"]["viescore"]["value"] == pytest.approx(np.tanh(np.mean(values)), abs=1e-6)
        assert found["human"]["viescore"] == ours["labels"]["ratings"][scale]["human"]["viescore"]
    semantic = ours["labels"]["ratings"]["semantic"]
    assert semantic["coverage"] < 0.25 < 0.95 < published["labels"]["ratings"]["semantic"]["coverage"]
    assert semantic["spearman"]["viescore"] != published["labels"]["ratings"]["semantic"]["spearman"]["viescore"]


@pytest.fixture
def measured(tmp_path, bench):
    """A folder whose readings differ, and one in which they do not."""
    folder = odd_folder(tmp_path / "llava", bench)
    uids = images(bench)
    plain = write(
        tmp_path / "gpt4o",
        {uid: [n % 11, 10] for n, uid in enumerate(uids)},
        {uid: [n % 7, 9] for n, uid in enumerate(uids)},
    )
    tables = {"use": "imagenhub", "ratings": str(TABLES), "models": ["MagicBrush", "SDEdit"]}
    outs = {path: tmp_path / "out" / path.name for path in (folder, plain)}
    return {
        path.name: (out, run_eval(make_recipe(out, tables, judge=None, scores=path)).as_json())
        for path, out in outs.items()
    }


def test_where_the_readings_agree_there_is_one_row(measured):
    _, results = measured["gpt4o"]
    [row] = results["evaluations"]
    assert (row["label"], row["reading"]) == ("gpt4o", "as published, same as ours")


def test_the_page_the_leaderboard_and_compare_name_the_reading(measured, capsys):
    out, results = measured["llava"]
    [board] = results["leaderboard"]
    assert {row["reading"] for row in board["rows"]} == {"as published", "ours"}
    page = (out / "report.html").read_text()
    for expected in ("measured, file read: as published", "measured, file read: ours", "People, VIEScore"):
        assert expected in page
    # Beside the name, so that no row is without it where a wide table is cut off by the screen.
    assert re.search(r"<th>[^<]*llava, ours<br><span[^>]*>measured, file read: ours</span></th>", page)
    compare([str(out), str(measured["gpt4o"][0]), "--rounds", "200"])
    printed = capsys.readouterr().out
    assert f"A = {out / 'ImagenHub'} (file read: as published)" in printed
    assert "(file read: as published, same as ours)" in printed
    compare([str(out / "ImagenHub" / "ours"), str(measured["gpt4o"][0]), "--rounds", "200"])
    assert f"A = {out / 'ImagenHub' / 'ours'} (file read: ours)" in capsys.readouterr().out


@pytest.mark.parametrize(("reading", "says"), [("published", "as published"), ("ours", "ours")])
def test_a_recipe_may_want_one_reading(tmp_path, bench, reading, says):
    folder = odd_folder(tmp_path / "llava", bench)
    tables = {"use": "imagenhub", "ratings": str(TABLES), "models": ["MagicBrush", "SDEdit"]}
    recipe = make_recipe(tmp_path / "out", tables, judge=None, scores={"path": folder, "reading": reading})
    [row] = run_eval(recipe).as_json()["evaluations"]
    assert (row["label"], row["reading"]) == ("llava", says)
    assert not (tmp_path / "out" / "ImagenHub" / "ours").exists()


def test_half_a_surrogate_pair_is_counted_and_its_score_kept(tmp_path, bench):
    uid = images(bench)[0]
    write(tmp_path / "f", {uid: [7, 9]}, {uid: [5, 5]}, reasoning="A cat \ud83d sits.")
    tables = {"use": "imagenhub", "ratings": str(TABLES), "models": ["MagicBrush", "SDEdit"]}
    [row] = run_eval(make_recipe(tmp_path / "out", tables, judge=None, scores=tmp_path / "f")).as_json()["evaluations"]
    assert row["judge"]["unused"]["invalid_unicode"]["count"] == 4
    cards, _ = read(tmp_path / "f", bench, "published")
    assert (cards["SDEdit", uid].overall, cards["SDEdit", uid].rationale) == (
        pytest.approx(sqrt(35)),
        "A cat \ufffd sits.",
    )


@pytest.mark.parametrize("digits", [400, 5000])
def test_an_integer_of_thousands_of_digits_is_counted(tmp_path, bench, digits):
    first, second = images(bench)[:2]
    write(tmp_path / "f", {first: "HUGE", second: [7, 9]}, {first: [5, 5], second: [5, 5]})
    for file in (tmp_path / "f").rglob("SC.json"):
        file.write_text(file.read_text().replace('"HUGE"', f"[{'9' * digits}, 5]"))
    for reading in ("published", "ours"):
        cards, found = read(tmp_path / "f", bench, reading)
        assert found.findings.counts["unreadable_score"] == 2
        assert cards["SDEdit", first].overall is None
        assert cards["SDEdit", second].overall == pytest.approx(sqrt(35))


def test_equal_names_in_one_file_are_refused(tmp_path, bench):
    uid = images(bench)[0]
    folder = write(tmp_path / "f", {uid: [7, 9]}, {uid: [5, 5]})
    file = folder / "SDEdit" / "SC.json"
    file.write_text(f'{{"{uid}": {{"score": [1, 2]}}, "{uid}": {{"score": [3, 4]}}}}')
    with pytest.raises(DataError, match=r"SDEdit/SC\.json: not valid JSON .* twice"):
        read(folder, bench, "published")


def test_a_folder_of_several_tasks_is_refused(tmp_path, bench):
    uid = images(bench)[0]
    for task in ("ImagenHub_Text-Guided_IE", "ImagenHub_Mask-Guided_IE"):
        write(tmp_path / "gpt4o" / task, {uid: [7, 9]}, {uid: [5, 5]})
    with pytest.raises(DataError, match=r"2 tasks .*\n.*Mask-Guided_IE .*\n.*Text"):
        read(tmp_path / "gpt4o", bench, "published")
    shutil.rmtree(tmp_path / "gpt4o" / "ImagenHub_Mask-Guided_IE")
    assert read(tmp_path / "gpt4o", bench, "published")[0]["SDEdit", uid].overall == pytest.approx(sqrt(35))
