"""The steps `agreement` and `pairs` on the files of a small campaign, as the command runs them."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import pytest
import yaml
from factories import make_image, make_task, make_triplet
from places import DATA
from ranking_ground import rank

from editjudge.__main__ import main
from editjudge.files.io import read_json, read_jsonl, write_jsonl
from editjudge.formats.campaign import PushedTask
from editjudge.formats.rankings import make_ranking, parse_tiers
from editjudge.images.store import ImageStore
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import EditTriplet, Origin, PreferencePair, TierRanking

UNITS = ("ann", "bob", "cy")
TASKS = ("t0", "t1", "t2", "t3", "t4", "t5")


def stored_groups(root: Path) -> list[EditTriplet]:
    """Three candidates for each task and for the gold task; t5 has two input images."""
    store, triplets = ImageStore(root), []
    for place, name in enumerate((*TASKS, "gold")):
        befores = [
            store.add(make_image(seed=place + 50 * n), f"in/{name}{n}.png") for n in range(2 if name == "t5" else 1)
        ]
        task = make_task(id=name, inputs=tuple(befores), origin=Origin(source=f"photo-{name}", licence="CC0"))
        for number in (1, 2, 3):
            edited = store.add(make_image(seed=100 * number + place), f"out/{name}-{number}.png")
            triplets.append(make_triplet(id=f"{name}-{number}", task=task, edited=edited))
    return triplets


def again(notation: str, unit: str, dimension: str):
    """t0 a second time, with candidates 2 and 3 in each other's place."""
    return make_ranking("again", dimension, unit, parse_tiers(notation, 3), ["t0-1", "t0-3", "t0-2"])


@pytest.fixture
def campaign(tmp_path):
    """Path of the recipe; every unit says 1|2|3 but cy, who turns t1 around. cy also fails gold."""
    groups = stored_groups(tmp_path / "groups")
    write_jsonl(tmp_path / "groups" / "groups.jsonl", groups)
    out = tmp_path / "out"
    shown = {name: tuple(f"{name}-{number}" for number in (1, 2, 3)) for name in (*TASKS, "gold")}
    tasks = [
        PushedTask(group_id=name, task_id=name, instruction="x", candidates=ids, is_gold=name == "gold")
        for name, ids in shown.items()
    ]
    repeat = {"group_id": "again", "task_id": "t0", "repeat_of": "t0", "candidates": ("t0-1", "t0-3", "t0-2")}
    write_jsonl(out / "tasks.jsonl", [*tasks, PushedTask(instruction="x", **repeat)])
    rankings = []
    for unit, dimension in product(UNITS, DIMENSIONS):
        odd = unit == "cy"
        rankings += [rank("3|2|1" if odd and name == "t1" else "1|2|3", name, unit, dimension, 20) for name in TASKS]
        rankings += [rank("12|3" if odd else "1|2|3", "gold", unit, dimension, 20), again("1|3|2", unit, dimension)]
    write_jsonl(out / "rankings.jsonl", rankings)
    answers = tmp_path / "answers.jsonl"
    known = {"task_id": "gold", "annotator": "answer", "tiers": [[name] for name in shown["gold"]]}
    write_jsonl(answers, [TierRanking(dimension=dimension, **known) for dimension in DIMENSIONS])
    recipe = {
        "out": str(out),
        "project": {
            "title": "Trial [bold]",
            "groups": str(tmp_path / "groups" / "groups.jsonl"),
            "candidates": 3,
            "units": [{"name": name, "kind": "pair" if name == "cy" else "single"} for name in UNITS],
            "gold": {"rankings": str(answers), "rate": 0.2},
            "repeats": 0.2,
        },
        "agreement": {"bootstrap_rounds": 30},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def annotate(*arguments: object) -> int:
    return main(["annotate", *map(str, arguments)])


def test_agreement_of_a_campaign(campaign, capsys):
    numbers = campaign.parent / "numbers.json"
    assert annotate("agreement", campaign, "--json", numbers) == 0
    found = read_json(numbers)
    assert found == read_json(campaign.parent / "out" / "agreement.json")
    overall = found["dimensions"]["overall"]
    # Gold and the repeat are not counted: six tasks, one of them disputed.
    assert (overall["n_tasks"], overall["n_shared"]) == (6, 6)
    assert overall["convergence@1"]["value"] == pytest.approx(5 / 6)
    assert overall["units"]["cy"]["majority_ranking"]["value"] == pytest.approx(5 / 6)
    assert set(found["dimensions"]) == {*DIMENSIONS, "all"}
    assert found["kinds"]["single"]["overall"]["convergence@1"]["value"] == 1
    assert "pair" not in found["kinds"]  # one unit alone agrees with nobody
    assert found["quality"]["cy"]["gold"]["identical"]["value"] == 0
    assert found["quality"]["ann"]["gold"]["identical"]["value"] == 1
    assert found["quality"]["ann"]["repeats"]["identical"]["value"] == 1
    assert found["disputes"] == {"rule": "contradiction", "n_tasks": 1, "task_ids": ["t1"]}
    rows = [json.loads(line) for line in (campaign.parent / "out" / "disputes.jsonl").read_text().splitlines()]
    assert rows[0]["rankings"]["cy"]["overall"] == "3|2|1"
    text = capsys.readouterr().out
    assert "Trial [bold]: agreement of 3 units" in text
    assert "converged: 75% of the units identical" in text
    assert "1 of 6 tasks need an adjudicator" in text


def test_pairs_of_a_campaign_and_back(campaign, capsys):
    from datasets import load_dataset

    folder = campaign.parent
    assert annotate("pairs", campaign, "--json", folder / "numbers.json") == 0
    pairs = list(read_jsonl(folder / "out" / "pairs.jsonl", PreferencePair))
    found = read_json(folder / "numbers.json")
    assert len(pairs) == found["n_pairs"] == 6 * 3 * 3
    assert {pair.task.id for pair in pairs} == {*TASKS}
    assert found["dimensions"]["overall"]["contradicted"] == 3
    # The task with two input images does not fit the public schema.
    assert found["n_in_parquet"] == 5 * 3 * 3
    rows = load_dataset(str(folder / "out" / "benchmark"), split="train", cache_dir=str(folder / "cache"))
    assert rows.num_rows == 45
    text = capsys.readouterr().out
    assert "without 9 pairs of tasks with several input images" in text
    assert "not checked against any training set" in text

    assert annotate("pairs", "--tiers", folder / "out" / "pairs.jsonl", folder / "tiers.jsonl") == 0
    back = list(read_jsonl(folder / "tiers.jsonl", TierRanking))
    assert len(back) == 18
    assert {row.tiers for row in back if row.task_id == "t1"} == {(("t1-1",), ("t1-2",), ("t1-3",))}


def test_training_inputs_are_left_out(campaign, capsys):
    groups = read_jsonl(campaign.parent / "groups" / "groups.jsonl", EditTriplet)
    write_jsonl(campaign.parent / "train.jsonl", [row for row in groups if row.task.id in ("t0", "gold")])
    assert annotate("pairs", campaign, f"pairs.not_in=[{campaign.parent / 'train.jsonl'}]") == 0
    pairs = read_jsonl(campaign.parent / "out" / "pairs.jsonl", PreferencePair)
    assert "t0" not in {pair.task.id for pair in pairs}
    assert "source of the training set" in capsys.readouterr().out


def test_the_adjudicators_rankings_decide_and_do_not_vote(campaign):
    path = campaign.parent / "out" / "rankings.jsonl"
    path.write_text(path.read_text() + rank("2|13", "t1", "boss").model_dump_json() + "\n")
    arguments = ["pairs", campaign, "pairs.consensus=adjudicated", "pairs.adjudicator=boss"]
    assert annotate(*arguments, "--json", campaign.parent / "numbers.json") == 0
    pairs = read_jsonl(campaign.parent / "out" / "pairs.jsonl", PreferencePair)
    decided = {
        (p.better.id, p.worse.id): p.n_annotators for p in pairs if (p.task.id, p.dimension) == ("t1", "overall")
    }
    assert decided == {("t1-2", "t1-1"): 4, ("t1-2", "t1-3"): 4}
    waiting = read_json(campaign.parent / "numbers.json")["waiting"]
    assert {(row["task_id"], row["dimension"]) for row in waiting} == {
        ("t1", "prompt_following"),
        ("t1", "consistency"),
    }
    assert annotate("agreement", *arguments[1:]) == 0
    assert read_json(campaign.parent / "out" / "agreement.json")["units"] == [*UNITS]


def test_ratings_need_no_recipe(tmp_path, capsys):
    files = sorted((DATA / "imagenhub" / "Text-Guided_IE").glob("*.tsv"))
    assert annotate("agreement", "--ratings", *files, "--json", tmp_path / "numbers.json") == 0
    assert read_json(tmp_path / "numbers.json")["models"]["MagicBrush"]["printed"]["kappa.SC"] == "0.5"
    assert "undefined (every rating" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["agreement"], "needs either a recipe or --ratings"),
        (["agreement", "RECIPE", "--ratings", "x.tsv"], "and not both"),
        (["agreement", "--ratings", "none.tsv"], "none.tsv: no such file"),
        (["pairs"], "needs either a recipe or --tiers"),
        (["pairs", "--tiers", "none.jsonl", "out.jsonl"], "none.jsonl: no such file"),
        (["pairs", "RECIPE", "pairs.min_tier_gapp=2"], "did you mean `min_tier_gap`"),
        (["pairs", "RECIPE", "pairs.min_tier_gap=3"], "no pair is left"),
        (["agreement", "RECIPE", "out=nowhere"], "run `editjudge annotate pull RECIPE` first"),
        (["agreement", "RECIPE", "project.units.0.name=anna"], "unit 'ann', .* did you mean `anna`.* or pull again"),
        (["agreement", "--ratings", "x.tsv", "--disputes", "difference"], "--disputes is of campaigns"),
    ],
)
def test_wrong_use_is_told_without_a_traceback(arguments, problem, campaign, capsys):
    assert annotate(*(campaign if argument == "RECIPE" else argument for argument in arguments)) in (1, 2)
    assert re.search(problem, capsys.readouterr().err)


def test_rankings_of_unknown_tasks_are_refused(campaign, capsys):
    path = campaign.parent / "out" / "rankings.jsonl"
    path.write_text(path.read_text() + rank("1|2|3", "t9", "ann").model_dump_json() + "\n")
    assert annotate("agreement", campaign) == 1
    assert "is of task t9" in capsys.readouterr().err
