"""Which steps are one pass, and what becomes of the rows that do not go on."""

from __future__ import annotations

from contextlib import ExitStack

from curation_ground import make_context, make_group, make_recipe

from curation.filters.scores import GroupMax
from curation.recipe import CurationRecipe
from curation.runner.steps import Step, plan_passes, plan_steps
from curation.runner.work import Outcomes
from curation.stage import Fail
from editjudge.files.io import read_objects
from editjudge.records.types import ScoreCard


def passes_of(**changes):
    """The steps of each pass, by name."""
    recipe = CurationRecipe.model_validate(make_recipe(**changes))
    return [[step.name for step in steps] for steps in plan_passes(plan_steps(recipe))]


def test_neighbouring_filters_are_one_pass_and_what_makes_rows_is_its_own():
    source, templates, edit, measure, spread, best = make_recipe()["stages"]
    small, long = {"use": "min_side", "px": 8}, {"use": "aspect_ratio"}
    found = passes_of(stages=[source, templates, edit, small, long, measure, spread, best])
    assert found[:6] == [
        ["00-photographs"],
        ["01-templates"],
        ["02-edit"],
        ["03-min_side", "04-aspect_ratio"],
        ["05-measure"],
        ["06-group_std", "07-group_max"],
    ]
    assert all(len(steps) == 1 for steps in found[6:])


def test_the_filters_of_two_parts_are_not_one_pass():
    kept = [{"use": "group_max", "min_overall": 1}]
    parts = {"a": {"sources": ["chelsea"], "stages": kept}, "b": {"stages": kept}}
    assert passes_of(parts=parts)[-4:] == [["a-split"], ["a-00-group_max"], ["b-split"], ["b-00-group_max"]]


def judged(**block):
    """The marker's identity of a stage that asks a judge of its own."""
    source, templates, edit, *_ = make_recipe()["stages"]
    block = {"engine": {"use": "scripted", "replies": ["no"]}, **block}
    recipe = CurationRecipe.model_validate(
        make_recipe(stages=[source, templates, edit, {"use": "judge", "judge": block}], parts={"rest": {}})
    )
    return plan_steps(recipe)[3].identity


def test_a_judge_counts_by_what_can_change_its_cards(tmp_path):
    slow = {"use": "scripted", "replies": ["no"], "latency_s": 0.5}
    assert judged(cache=tmp_path / "replies", chunk=7, engine=slow) == judged()
    for change in ({"passes": 3}, {"seed": 9}, {"prompts": "brief-v1"}, {"engine": {**slow, "replies": ["yes"]}}):
        assert judged(**change) != judged()


class OnDevice(GroupMax):
    """A filter with a model."""

    @property
    def needs_device(self) -> bool:
        return True


def test_a_filter_with_a_model_is_a_pass_of_its_own():
    stages = [GroupMax(min_overall=1), OnDevice(min_overall=1), GroupMax(min_overall=2)]
    names = [None, "0", "1", "2"]
    steps = [
        Step(str(number), stage, None, names[number], ScoreCard, {})
        for number, stage in enumerate([*stages, stages[0]])
    ]
    assert [[step.name for step in steps] for steps in plan_passes(steps)] == [["0"], ["1"], ["2", "3"]]


def outcomes_of(root, stage, rows) -> tuple[Outcomes, list[ScoreCard]]:
    with ExitStack() as files:
        outcomes = Outcomes(Step("00-x", stage, None, None, ScoreCard, {}), root, "00003", files)
        return outcomes, list(outcomes.kept(rows, make_context(root)))


def test_what_is_left_out_is_kept_with_its_reason_and_what_failed_with_its_error(tmp_path):
    good, poor, odd = (
        make_group(scores, task_id=name) for name, scores in zip("abc", ([9], [1, 2], [None]), strict=True)
    )
    outcomes, kept = outcomes_of(tmp_path, GroupMax(min_overall=5), [*good, *poor, *odd])
    assert kept == good
    dropped = [row for _, row in read_objects(tmp_path / "dropped" / "00003.jsonl")]
    assert [(row["id"], row["reason"], row["record"]) for row in dropped] == [
        ("b-0", "group_max_below_5", "ScoreCard"),
        ("b-1", "group_max_below_5", "ScoreCard"),
    ]
    assert [ScoreCard.model_validate(row["row"]) for row in dropped] == poor
    ((_, failed),) = read_objects(tmp_path / "failed" / "00003.jsonl")
    assert (failed["id"], ScoreCard.model_validate(failed["row"])) == ("c-0", odd[0])
    assert "no overall score" in failed["error"]
    assert (outcomes.tally.rows_in, outcomes.tally.dropped.total(), outcomes.tally.failed) == (4, 2, 1)


def test_files_of_an_earlier_attempt_do_not_stay(tmp_path):
    outcomes_of(tmp_path, GroupMax(min_overall=5), make_group([1]))
    assert (tmp_path / "dropped" / "00003.jsonl").is_file()
    outcomes_of(tmp_path, GroupMax(min_overall=0), make_group([1]))
    assert not (tmp_path / "dropped" / "00003.jsonl").exists()


class Failing(GroupMax):
    """Fails with the errors that are its rows."""

    def run(self, rows, ctx):
        yield from (Fail(str(number), error) for number, error in enumerate(rows))


def test_every_failure_is_counted_and_kept_also_beyond_the_errors_that_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("curation.runner.work.MAX_ERRORS", 2)
    outcomes, _ = outcomes_of(tmp_path, Failing(min_overall=0), "aabbbcd")
    assert outcomes.tally.info(0)["errors"] == {"(other errors)": 2, "a": 2, "b": 3}
    assert outcomes.tally.failed == 7
    assert [row["error"] for _, row in read_objects(tmp_path / "failed" / "00003.jsonl")] == list("aabbbcd")
