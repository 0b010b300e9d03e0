"""From candidates to a measured judge: push, rank, pull, pairs, Parquet, evaluation; with and without task types."""

from __future__ import annotations

import sys

import pytest
import yaml
from eval_recipes import eval_recipe as make_eval
from eval_world import PixelEngine, marked, write_checkpoint
from factories import make_task, make_triplet
from fake_studio import TOKEN, fake_studio
from studio_ground import annotate, make_recipe

from annotation.campaign.campaign import read_campaign
from annotation.label_studio.client import Studio
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.recipe import AnnotationRecipe
from annotation.steps.pull import pull
from annotation.steps.push import push
from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.images.store import ImageStore
from editjudge.recipes.recipe import load_recipe
from editjudge.records.tasks import DIMENSIONS, UNKNOWN_TASK
from editjudge.records.types import PreferencePair
from eval.run import run_eval

N_GROUPS, N_CANDIDATES = 6, 3


@pytest.fixture
def ranked(tmp_path):
    """A campaign of one unit that ranks every group as the images are marked: path of its recipe."""
    store = ImageStore(tmp_path)
    triplets = []
    for group in range(N_GROUPS):
        before = store.add(marked(0, 900 + group), f"images/{group}.png")
        # Nobody said what kind of edit the first four groups are.
        kind = UNKNOWN_TASK if group < 4 else "color_alter"
        task = make_task(id=f"g{group}", inputs=(before,), instruction=f"Make it pink {group}.", task_type=kind)
        for place in range(N_CANDIDATES):
            ref = store.add(marked(22 - 6 * place, 10 * group + place), f"images/{group}-{place}.png")
            triplets.append(make_triplet(id=f"g{group}-{place}", task=task, edited=ref, editor=f"editor{place}"))
    write_jsonl(tmp_path / "groups.jsonl", triplets)
    with fake_studio() as fake:
        recipe = make_recipe(
            tmp_path / "campaign",
            tmp_path / "groups.jsonl",
            units=[{"name": "a"}],
            candidates=N_CANDIDATES,
            server={"url": fake.url, "images_url": "/images/"},
        )
        with Studio(fake.url, TOKEN) as studio:
            push(recipe, studio)
            for group in range(N_GROUPS):
                number = fake.of_group(fake.project_of("a"), f"g{group}")
                shown = fake.tasks[number]["data"]["triplets"]
                tiers = [[shown.index(f"g{group}-{place}") + 1] for place in range(N_CANDIDATES)]
                fake.annotate(number, make_result(layout_of(recipe), dict.fromkeys(DIMENSIONS, tiers)))
            pull(recipe, studio)
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    return path


def evaluate(folder, use="editreward_bench"):
    path = folder / "campaign" / ("benchmark" if use == "editreward_bench" else "pairs.jsonl")
    root = {} if use == "editreward_bench" else {"root": str(folder)}
    bench = [{"use": use, "path": str(path), "name": "campaign", **root}]
    judge = PixelEngine(adapter=str(write_checkpoint(folder / "judge", 1, noise=0)))
    return run_eval(make_eval(folder / f"eval-{use}", path, judge, bench=bench)).as_json()


@pytest.mark.parametrize("use", ["editreward_bench", "pairs"])
def test_groups_without_a_task_type_are_measured_as_comparisons(ranked, capsys, use):
    assert annotate(["pairs", str(ranked)]) == 0
    printed = capsys.readouterr().out
    assert "by task type: color_alter 18, unknown 36" in printed
    assert "36 pairs of 4 tasks have no task type" in printed
    results = evaluate(ranked.parent, use)
    bench = results["benchmarks"]["campaign"]
    assert (bench["n_pairs"], bench["n_comparisons"], bench["left_out"]) == (2 * 9, 4 * 9, {})
    assert bench["notes"]["task_of_unknown_type"]["count"] == 36
    row = results["evaluations"][0]
    assert [row["labels"]["comparisons"][name]["without_ties"]["value"] for name in DIMENSIONS] == [1, 1, 1]
    assert row["dimensions"]["overall"]["n_pairs"] == 6


@pytest.mark.parametrize("given", ["subject-add", "table"])
def test_task_types_of_the_recipe_reach_the_benchmark(ranked, capsys, given):
    """One type for all groups that have none, or a table; a group keeps the type it has."""
    if given == "table":
        path = ranked.parent / "types.csv"
        kinds = ["subject-add", "subject-add", "extract", "compose", "color_alter"]
        path.write_text("task_id,task_type\n" + "".join(f"g{n},{kind}\n" for n, kind in enumerate(kinds)))
        given = str(path)
    assert annotate(["pairs", str(ranked), f"project.task_types={given}"]) == 0
    assert "no task type" not in capsys.readouterr().out
    kinds = {
        pair.task.id: pair.task.task_type for pair in read_jsonl(ranked.parent / "campaign/pairs.jsonl", PreferencePair)
    }
    assert (kinds["g0"], kinds["g4"]) == ("subject-add", "color_alter")
    results = evaluate(ranked.parent)
    assert (results["benchmarks"]["campaign"]["n_pairs"], results["benchmarks"]["campaign"]["n_comparisons"]) == (54, 0)
    tasks = results["evaluations"][0]["dimensions"]["overall"]["tasks"]
    assert {*tasks} == {*kinds.values()}
    assert all(task["value"] == 1 for task in tasks.values())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("task_id,task_type\ng0,Teleport\n", r"types\.csv:2: .*g0: .*'Teleport'"),
        ("task_id,task_type\ng5,extract\n", "g5: 'extract'.*'color_alter'"),
        (
            "task_id,task_type\ng0,extract\ng0,compose\n",
            r"types\.csv:3: .*g0: 'compose'.*'extract'",
        ),
        ("group,type\ng0,extract\n", r"types\.csv:2: .*task_id and task_type.*group, type"),
        (None, r"project\.task_types: .*types\.csv"),
    ],
)
def test_wrong_task_types_are_refused(ranked, capsys, table, said):
    path = ranked.parent / "types.csv"
    if table is not None:
        path.write_text(table)
    campaign = read_campaign(load_recipe(ranked, AnnotationRecipe, [f"project.task_types={path}"]))
    with pytest.raises(DataError, match=said):
        campaign.triplets()


def test_after_pull_no_step_needs_the_sdk(ranked, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.partition(".")[0] == "label_studio_sdk"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "label_studio_sdk", None)
    with pytest.raises(ModuleNotFoundError, match="label_studio_sdk"):
        Studio("http://127.0.0.1:1", TOKEN)
    for step in (["agreement"], ["pairs"], ["status", "--offline"]):
        assert annotate([*step, str(ranked)]) == 0, step
    table = ranked.parent / "tiers.csv"
    table.write_text("task_id,tiers\ng0,1|2|3\n")
    assert annotate(["import", str(ranked), str(table), "--unit", "b", "project.units=[{name: a}, {name: b}]"]) == 0
    assert "b: 1" in capsys.readouterr().out
