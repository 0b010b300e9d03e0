"""What every kind of judge promises, and that eval, sweep, curation and the command take any of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from curation_ground import make_context, run_stage
from eval_world import PixelEngine, comparable, write_benchmark, write_checkpoint
from factories import make_image, make_task
from pydantic import ValidationError
from scalar_judge import ScalarJudge, ScalarRecipe

from curation.judging import JudgeStage
from curation.stage import Drop, Fail
from editjudge import Judge
from editjudge.asking import JUDGES
from editjudge.asking.base import BaseJudge
from editjudge.asking.recipe import JudgeRecipe
from editjudge.asking.recorded import RecordedJudge, RecordedRecipe
from editjudge.asking.score_set import score_set
from editjudge.cli.check import command_of
from editjudge.cli.check import main as check
from editjudge.cli.score import main as score_main
from editjudge.engines.cache import CachedEngine
from editjudge.errors import DataError, EditJudgeError, RecipeError
from editjudge.files.io import write_jsonl
from editjudge.recipes.recipe import dump_recipe, load_for_run, load_recipe
from editjudge.records.types import EditTriplet, ScoreCard
from eval.benchmarks.pairs import Pairs
from eval.checkpoints.recipe import SweepRecipe
from eval.evaluations.scoring import evaluate
from eval.external import evaluate_scores, read_scores
from eval.external.reading import ScoresFile
from eval.labels.benchmark import Benchmark
from eval.recipe import EvalRecipe
from eval.run import run_eval
from eval.sweep import run_sweep


@pytest.fixture(autouse=True)
def _scalar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line that a new kind of judge needs."""
    monkeypatch.setitem(JUDGES, "scalar", "scalar_judge:ScalarRecipe")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("bench")
    return Pairs(path=write_benchmark(folder, groups=6)).load(folder)


@dataclass(frozen=True)
class Case:
    """A judge of a benchmark, and how its recipe is written."""

    make: Callable[[Benchmark], BaseJudge[Any]]
    block: dict[str, Any]
    reads_images: bool = True


def recorded(bench: Benchmark) -> RecordedJudge:
    cards = Judge(PixelEngine()).score_many(bench.triplets, bench.root)
    return RecordedJudge({card.triplet.id: card for card in cards}, "recorded", "pixels")


CASES = {
    "vlm": Case(lambda bench: Judge(PixelEngine(), passes=2), {"engine": {"use": "scripted", "replies": ["a"]}}),
    "recorded": Case(recorded, {"use": "recorded", "path": "cards.jsonl"}, reads_images=False),
    "scalar": Case(lambda bench: ScalarJudge(1, 260), {"use": "scalar", "weight": 2}),
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_every_kind_is_held_to_the_contract() -> None:
    assert {*JUDGES} <= {*CASES}


def test_one_card_per_edit_in_order_however_it_is_asked(case: Case, bench: Benchmark) -> None:
    with case.make(bench) as judge:
        judge.chunk = 4
        triplets = bench.triplets[:10]
        cards = judge.score_many(triplets, bench.root)
        assert [card.triplet for card in cards] == list(triplets)
        assert all(card.overall is not None for card in cards)
        assert judge.score_many(triplets[::-1], bench.root) == cards[::-1]
        assert [*judge.score_chunks([triplets[:1], triplets[1:]], bench.root)] == [cards[:1], cards[1:]]
        assert judge.score_many([], bench.root) == []
    judge.close()
    assert judge.score_many(triplets, bench.root) == cards


def test_it_says_who_it_is(case: Case, bench: Benchmark) -> None:
    judge, again = case.make(bench), case.make(bench)
    assert judge.identity == again.identity == judge.without_cache().identity
    described = judge.describe()
    assert {"engine", "prompts", "passes", "identity"} <= described.keys()
    assert json.loads(json.dumps(described)) == described
    assert described["identity"] == judge.identity
    assert judge.batch_effect in ("none", "rounding", "any")


def broken(bench: Benchmark) -> list[EditTriplet]:
    first, second, third, *_ = bench.triplets
    gone = first.edited.model_copy(update={"path": "gone.png", "sha256": "0" * 64})
    two = second.task.model_copy(update={"inputs": second.task.inputs * 2})
    blank = third.task.model_copy(update={"instruction": " "})
    return [
        first.model_copy(update={"edited": gone}),
        second.model_copy(update={"id": "unknown", "task": two}),
        third.model_copy(update={"task": blank}),
        bench.triplets[3],
    ]


def test_what_cannot_be_judged_fails_its_own_card_only(case: Case, bench: Benchmark) -> None:
    cards = case.make(bench).score_many(broken(bench), bench.root)
    assert [card.overall is None for card in cards] == [True, True, True, False]
    assert [card.n_failed > 0 and card.n_ok == 0 for card in cards] == [True, True, True, False]
    # What a judge looks at decides which reasons it finds; the blank instruction is refused by all.
    assert {*cards[2].failures} == {"no_instruction"}
    assert all(cards[place].failures for place in (0, 1))
    assert cards[3].failures == ()


def test_a_recipe_of_every_kind_is_written_and_read_again(case: Case, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cards.jsonl").write_text("")
    base = {"out": "out", "bench": [{"use": "pairs", "path": "cards.jsonl"}]}
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump({**base, "judge": case.block}))
    recipe = load_for_run(tmp_path / "eval.yaml", EvalRecipe)
    assert recipe.judge is not None
    assert recipe.judge.use == case.block.get("use", "vlm")
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(dump_recipe(recipe)))
    assert load_recipe(tmp_path / "again.yaml", EvalRecipe) == recipe
    (tmp_path / "judge.yaml").write_text(yaml.safe_dump(dump_recipe(recipe.judge)))
    assert command_of(tmp_path / "judge.yaml")[0] == "score"
    assert check([str(tmp_path / "judge.yaml")]) == 0
    assert isinstance(Judge.from_recipe(tmp_path / "judge.yaml"), BaseJudge)


def test_mistakes_have_their_place(tmp_path: Path) -> None:
    (tmp_path / "judge.yaml").write_text("use: scaler\n")
    with pytest.raises(RecipeError, match="did you mean `scalar`"):
        Judge.from_recipe(tmp_path / "judge.yaml")
    base = {"out": "out", "bench": [{"use": "pairs", "path": str(tmp_path / "judge.yaml")}]}
    for block, line in (
        ({"use": "scaler"}, "judge.use: unknown name; did you mean `scalar`?"),
        ({"use": "scalar", "wieght": 2}, "judge.wieght: unknown key; did you mean `weight`?"),
        ({"passes": 0, "engine": {"use": "scripted", "replies": ["a"]}}, "judge.passes: "),
    ):
        (tmp_path / "eval.yaml").write_text(yaml.safe_dump({**base, "judge": block}))
        with pytest.raises(RecipeError) as found:
            load_recipe(tmp_path / "eval.yaml", EvalRecipe)
        assert line in "\n".join(found.value.problems)


# A scalar head


def test_a_scalar_head_scores_one_edit_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "judge.yaml").write_text("use: scalar\nweight: 0.5\n")
    make_image().save(tmp_path / "a.png")
    arguments = [
        "--instruction",
        "Make it pink.",
        "--input",
        str(tmp_path / "a.png"),
        "--output",
        str(tmp_path / "a.png"),
    ]
    assert score_main([*arguments, "--judge", str(tmp_path / "judge.yaml"), "scale=200", "--json", "-"]) == 0
    card = ScoreCard.model_validate_json(capsys.readouterr().out)
    level = make_image().getpixel((0, 0))[0]  # type: ignore[index]
    assert card.overall == pytest.approx(10 * (0.5 * level + 0.001 * 4.158883) / 200, abs=1e-4)
    assert (card.judgments, card.prompt_following) == ((), None)
    assert score_main([*arguments, "--judge", str(tmp_path / "judge.yaml")]) == 0
    assert "unscored" in capsys.readouterr().out
    assert score_main([*arguments, "--instruction", " ", "--judge", str(tmp_path / "judge.yaml")]) == 1
    assert "no_instruction" in capsys.readouterr().out


def test_a_scalar_head_is_evaluated(tmp_path: Path, bench: Benchmark) -> None:
    pairs = str(bench.root / "pairs.jsonl")
    recipe = EvalRecipe.model_validate(
        {
            "out": tmp_path / "out",
            "bench": [{"use": "pairs", "path": pairs}],
            "judge": {"use": "scalar", "chunk": 5},
            "bootstrap_rounds": 100,
            "probes": {"groups": 5, "use": ["black", "batch_position"]},
        }
    )
    results = run_eval(recipe).as_json()
    [row] = results["evaluations"]
    assert row["dimensions"]["overall"]["pair_mean"]["value"] == 1
    assert row["dimensions"]["consistency"]["coverage"] == 0
    assert [probe["passed"] for probe in results["probes"]] == [5, 5]
    assert (tmp_path / "out" / "report.html").is_file()
    assert comparable(run_eval(recipe).as_json()) == comparable(results)


def test_reasons_of_a_scalar_head_are_counted(tmp_path: Path, bench: Benchmark) -> None:
    scored = score_set(ScalarJudge(1, 260), broken(bench), bench.root, tmp_path)
    assert scored.unreadable == {"missing_image": 1, "no_instruction": 1, "several_inputs": 1}


def test_a_scalar_head_is_swept(tmp_path: Path, bench: Benchmark) -> None:
    for step, weight in ((10, -1.0), (20, 1.0)):
        write_checkpoint(tmp_path / "run", step, weight)
    recipe = SweepRecipe.model_validate(
        {
            "out": tmp_path / "out",
            "run": tmp_path / "run",
            "bench": [{"use": "pairs", "path": bench.root / "pairs.jsonl"}],
            "judge": ScalarRecipe(weight=0),
            "bootstrap_rounds": 100,
        }
    )
    results = run_sweep(recipe).as_json()
    found = [row["dimensions"]["overall"]["pair_mean"]["value"] for row in results["evaluations"]]
    assert [(row["step"], row["passes"]) for row in results["evaluations"]] == [(0, 1), (10, 1), (20, 1)]
    assert (found[0], found[2]) == (0, 1)
    assert results["best"]["step"] == 20


def test_a_judge_without_weights_is_not_swept(tmp_path: Path, bench: Benchmark) -> None:
    write_checkpoint(tmp_path / "run", 10, 1.0)
    (tmp_path / "cards.jsonl").write_text("")
    recipe = SweepRecipe.model_validate(
        {
            "out": tmp_path / "out",
            "run": tmp_path / "run",
            "bench": [{"use": "pairs", "path": bench.root / "pairs.jsonl"}],
            "judge": {"use": "recorded", "path": tmp_path / "cards.jsonl"},
        }
    )
    with pytest.raises(EditJudgeError, match="'recorded' cannot load"):
        run_sweep(recipe)


def test_any_judge_scores_candidates_of_a_curation(tmp_path: Path, bench: Benchmark) -> None:
    stage = JudgeStage(judge=ScalarRecipe())
    assert stage.samplings() == {}
    assert stage.needs_device
    assert stage.depends_on() != JudgeStage(judge=ScalarRecipe(weight=2)).depends_on()
    cards = run_stage(stage, bench.triplets, make_context(bench.root))
    assert not any(isinstance(card, Drop | Fail) for card in cards)
    lost = bench.triplets[0].model_copy(update={"task": make_task(instruction=" ")})
    (outcome,) = run_stage(stage, [lost], make_context(bench.root))
    assert (outcome.row_id, outcome.error) == (lost.id, "unscored: missing_image")
    for given in ({}, {"engine": "teacher", "judge": ScalarRecipe()}, {"judge": ScalarRecipe(), "passes": 2}):
        with pytest.raises(ValidationError):
            JudgeStage.model_validate(given)


# Recorded scores


def test_recorded_cards_give_the_figures_of_the_judge_that_made_them(tmp_path: Path, bench: Benchmark) -> None:
    base = {"bench": [{"use": "pairs", "path": bench.root / "pairs.jsonl", "name": "b"}], "bootstrap_rounds": 100}
    asked = JudgeRecipe(engine=PixelEngine(unreadable=0.1), passes=3, retries=0)
    first = run_eval(EvalRecipe.model_validate({"out": tmp_path / "asked", "judge": asked, **base})).as_json()
    block = {"use": "recorded", "path": tmp_path / "asked" / "b" / "cards.jsonl"}
    again = run_eval(EvalRecipe.model_validate({"out": tmp_path / "again", "judge": block, **base})).as_json()
    for key in ("dimensions", "passes", "k_curve", "unreadable"):
        assert again["evaluations"][0][key] == first["evaluations"][0][key]
    assert again["evaluations"][0]["judge"]["engine"] == "scores made elsewhere: b"


def test_recorded_cards_need_no_images(tmp_path: Path, bench: Benchmark) -> None:
    judge = recorded(bench)
    cards = judge.score_many(bench.triplets, tmp_path / "nowhere")
    assert cards == [judge.cards[triplet.id] for triplet in bench.triplets]


def test_two_cards_of_a_triplet_are_refused(tmp_path: Path, bench: Benchmark) -> None:
    cards = Judge(PixelEngine()).score_many(bench.triplets[:2], bench.root)
    write_jsonl(tmp_path / "cards.jsonl", [*cards, cards[0]])
    assert len(RecordedRecipe(path=tmp_path / "cards.jsonl").build().cards) == 2
    write_jsonl(tmp_path / "cards.jsonl", [*cards, cards[0].model_copy(update={"overall": None})])
    with pytest.raises(DataError, match=f"two different cards of triplet {cards[0].triplet.id}"):
        RecordedRecipe(path=tmp_path / "cards.jsonl").build()


def test_a_file_of_scores_is_a_judge(tmp_path: Path, bench: Benchmark) -> None:
    rows = [{"triplet_id": triplet.id, "overall": n % 7} for n, triplet in enumerate(bench.triplets)]
    (tmp_path / "scores.jsonl").write_text("\n".join(map(json.dumps, rows)))
    block = ScoresFile(path=tmp_path / "scores.jsonl")
    (read,) = evaluate_scores(block, bench, tmp_path / "read")
    judged = evaluate(read_scores(block, bench).judge("rival"), bench, tmp_path / "judged", 5, "rival")
    assert (tmp_path / "judged" / "pairs.jsonl").read_bytes() == (tmp_path / "read" / "pairs.jsonl").read_bytes()
    assert judged.judge["engine"] == "scores made elsewhere: rival"
    assert read.judge["identity"] == judged.judge["identity"]


# A model


def test_probes_ask_the_engine_itself(tmp_path: Path) -> None:
    judge = Judge(CachedEngine(PixelEngine(), tmp_path), passes=3, seed=4)
    fresh = judge.without_cache()
    assert isinstance(fresh.engine, PixelEngine)
    assert (fresh.identity, isinstance(judge.engine, CachedEngine)) == (judge.identity, True)
