"""What every engine promises: asked of each entry of `ENGINES`, the cache around one, and an engine made here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from factories import make_image
from pydantic import BaseModel, ConfigDict
from tiny_model import tiny_adapter, tiny_folder

from editjudge.asking.judge import Judge
from editjudge.asking.recipe import JudgeRecipe
from editjudge.engines import ENGINES
from editjudge.engines.base import Completion, Engine, OneByOne, Reply, Request, Sampling, each_once
from editjudge.engines.cache import CachedEngine
from editjudge.engines.hf import HFEngine
from editjudge.engines.scripted import ScriptedEngine
from editjudge.errors import EditJudgeError, EngineError, RecipeError
from editjudge.recipes.recipe import load_for_run

GREEDY, WARM = Sampling(temperature=0, max_new_tokens=6), Sampling(temperature=1.5, top_k=0, max_new_tokens=6)


class Echo(OneByOne, BaseModel):
    """All that a new engine needs. Its files: this class, its line of `ENGINES`, and its line of `CASES`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: int = 20

    @property
    def identity(self) -> str:
        return f"echo:{self.score}"

    def answer(self, request: Request, sampling: Sampling) -> Reply:
        if not request.images:
            return Reply.failed(request, "no image", "image_marks")
        text = json.dumps({"reasoning": "As asked.", "score": [self.score, self.score]})
        return Reply(tuple(Completion(text, "stop", 9) for _ in request.seeds))


@dataclass(frozen=True)
class World:
    """Folders that engines need."""

    model: Path
    adapter: Path
    cache: Path


@dataclass(frozen=True)
class Case:
    """An engine, and how to make it fail."""

    make: Callable[[World], Engine]
    hopeless: Callable[[World], Engine]
    odd: Sampling | None
    """What it cannot honour; None when there is no such sampling."""
    loads_checkpoints: bool = False


def hf(world: World, **changes: object) -> HFEngine:
    return HFEngine.model_validate({"model": str(world.model), "dtype": "float32", "device": "cpu"} | changes)


def scripted(world: World) -> ScriptedEngine:
    return ScriptedEngine(replies=tuple("abcdefgh"), fail=("^Unanswerable",), without=("top_k",))


def raises(request: Request, seed: int) -> str:
    raise EngineError("no server")


CASES = {
    "hf": Case(hf, lambda world: hf(world, model=str(world.cache)), Sampling(max_new_tokens=10**6), True),
    "scripted": Case(scripted, lambda world: ScriptedEngine(replies=raises), Sampling(top_k=20)),
    "cached hf": Case(
        lambda world: CachedEngine(hf(world), world.cache),
        lambda world: CachedEngine(hf(world, model=str(world.cache)), world.cache),
        Sampling(max_new_tokens=10**6),
        True,
    ),
    "cached scripted": Case(
        lambda world: CachedEngine(scripted(world), world.cache),
        lambda world: CachedEngine(ScriptedEngine(replies=raises), world.cache),
        Sampling(top_k=20),
    ),
    "echo": Case(lambda world: Echo(), lambda world: CachedEngine(ScriptedEngine(replies=raises), world.cache), None),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tiny_folder(tmp_path_factory.mktemp("contract") / "model")
    return folder, tiny_adapter(folder, folder.parent / "adapter")


@pytest.fixture
def world(made: tuple[Path, Path], tmp_path: Path) -> World:
    (tmp_path / "cache").mkdir()
    return World(*made, tmp_path / "cache")


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def ask(number: int, seeds: tuple[int, ...] = (1, 2)) -> Request:
    return Request(f"<image>Score {'it ' * number}.", (make_image(56, 56 + 28 * (number % 2), seed=number),), seeds)


UNANSWERABLE = Request("Unanswerable: no image.", (), (1, 2, 3))


def texts(replies: list[Reply]) -> list[list[str]]:
    return [[completion.text for completion in reply.completions] for reply in replies]


def test_every_engine_is_held_to_the_contract() -> None:
    assert set(ENGINES) <= set(CASES)


def test_every_request_is_answered_once_and_its_reply_has_its_index(case: Case, world: World) -> None:
    engine = case.make(world)
    requests = [ask(3, (1,)), ask(0, (4, 5, 6)), UNANSWERABLE, ask(5)]
    for _ in range(2):  # the second time a cache knows them
        arrived = list(engine.generate(requests, WARM))
        assert sorted(index for index, _ in arrived) == [0, 1, 2, 3]
        replies = dict(arrived)
        assert [len(replies[index].completions) for index in range(4)] == [1, 3, 3, 2]
        assert replies == dict(enumerate(engine.answer_all(requests, WARM)))
    assert list(engine.generate([], WARM)) == []
    assert texts(engine.answer_all([ask(5)], GREEDY))[0][0] == texts(engine.answer_all([ask(5)], GREEDY))[0][1]


def test_one_request_that_fails_does_not_fail_the_others(case: Case, world: World) -> None:
    engine = case.make(world)
    first, bad, last = engine.answer_all([ask(0), UNANSWERABLE, ask(1)], GREEDY)
    assert [(completion.stop, bool(completion.error)) for completion in bad.completions] == [("error", True)] * 3
    assert {completion.stop for reply in (first, last) for completion in reply.completions} <= {"stop", "length"}


def test_a_hopeless_batch_raises(case: Case, world: World) -> None:
    engine = case.hopeless(world)
    with pytest.raises(EditJudgeError):
        engine.answer_all([ask(0)], GREEDY)
    engine.close()


def test_equal_seeds_give_equal_replies_and_the_identity_stays(case: Case, world: World) -> None:
    engine, again = case.make(world), case.make(world)
    before = engine.identity
    replies = engine.answer_all([ask(0, (7, 8, 7))], WARM)
    assert replies[0].completions[0] == replies[0].completions[2]
    assert replies == again.answer_all([ask(0, (7, 8, 7))], WARM)
    assert engine.identity == before == again.identity
    assert engine.batch_effect in ("none", "rounding", "any")


def test_what_does_not_depend_on_the_batch_is_the_same_alone(case: Case, world: World) -> None:
    engine = case.make(world)
    if engine.batch_effect != "none":
        pytest.skip(f"promises no exact independence: {engine.batch_effect}")
    requests = [ask(number) for number in range(4)]
    assert engine.answer_all(requests, WARM) == [engine.answer_all([each], WARM)[0] for each in requests]


def test_it_may_be_closed_twice_and_asked_again(case: Case, world: World) -> None:
    with case.make(world) as engine:
        identity, replies = engine.identity, engine.answer_all([ask(0)], WARM)
        engine.close()
        engine.close()
        assert engine.identity == identity
        assert engine.answer_all([ask(0)], WARM) == replies
    engine.close()
    case.make(world).close()  # never asked


def test_closing_frees_the_model(world: World) -> None:
    engine = hf(world)
    with Judge(engine) as judge:
        judge.score("Make it pink.", make_image(), make_image(seed=1))
        assert engine._loaded is not None
    assert engine._loaded is None


def test_sampling_that_cannot_be_honoured_is_said_before_a_run(case: Case, world: World) -> None:
    engine = case.make(world)
    assert engine.check(GREEDY) == []
    if case.odd is None:
        assert engine.check(Sampling()) == []
        return
    (problem,) = engine.check(case.odd)
    assert problem.field in Sampling.model_fields
    with pytest.raises(ValueError, match=f"sampling.{problem.field}: "):
        Judge(engine, sampling=case.odd)


def test_log_probabilities_are_given_or_refused_before_a_run(case: Case, world: World) -> None:
    engine, wanted = case.make(world), WARM.model_copy(update={"logprobs": True})
    requests = [ask(0, (1, 2)), ask(3)]
    if problems := engine.check(wanted):
        assert [problem.field for problem in problems] == ["logprobs"]
        return
    plain = [completion for reply in engine.answer_all(requests, WARM) for completion in reply.completions]
    for _ in range(2):  # the second time a cache knows them
        found = [completion for reply in engine.answer_all(requests, wanted) for completion in reply.completions]
        for one, other in zip(found, plain, strict=True):
            assert (one.text, len(one.tokens), other.tokens) == (other.text, one.n_tokens, ())
            assert all(logprob <= 0 for _, logprob in one.tokens)
            assert len({logprob for _, logprob in one.tokens}) > 1


def test_the_weights_of_a_checkpoint_make_an_engine_of_its_own(case: Case, world: World) -> None:
    engine = case.make(world)
    if not case.loads_checkpoints:
        with pytest.raises(EditJudgeError, match=f"cannot load {world.adapter}"):
            engine.with_adapter(world.adapter)
        return
    base = engine.answer_all([ask(0)], WARM)
    adapted = engine.with_adapter(world.adapter)
    assert adapted.answer_all([ask(0)], WARM) != base
    full = adapted.with_adapter(world.model)
    assert (full.identity, adapted.identity != engine.identity) == (engine.identity, True)
    adapted.close()
    assert engine.answer_all([ask(0)], WARM) == base
    with pytest.raises(EditJudgeError, match=r"adapter_config\.json"):
        engine.with_adapter(world.cache)


@pytest.mark.parametrize(
    ("arrived", "message"),
    [
        ([0, 0], "request 0 twice"),
        ([0, 2], "request 2 of 2"),
        ([-1], "request -1 of 2"),
        ([1], "1 of 2 requests, 0 "),
    ],
)
def test_an_engine_that_breaks_the_contract_is_found_out(arrived: list[int], message: str) -> None:
    reply = Reply((Completion("", "stop"),))
    with pytest.raises(EngineError, match=message):
        list(each_once([(index, reply) for index in arrived], [ask(0, (1,))] * 2))
    with pytest.raises(EngineError, match="1 completions for the 2 seeds of request 0"):
        list(each_once([(0, reply)], [ask(0, (1, 2))]))


def test_a_new_engine_is_a_class_and_a_line_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "echo", f"{__name__}:Echo")
    (tmp_path / "judge.yaml").write_text("engine: {use: echo, score: 15}\nprompts: brief-v1\npasses: 2\n")
    with Judge.from_recipe(tmp_path / "judge.yaml", [f"cache={tmp_path / 'cache'}"]) as judge:
        card = judge.score("Make it pink.", make_image(), make_image(seed=1))
    assert (card.overall, card.n_ok) == (6.0, 2)


@pytest.mark.parametrize("block", ["", "sampling: {temperature: 0.5}\n", "sampling: {top_k: 5}\n"])
def test_a_recipe_is_refused_with_the_yaml_path(tmp_path: Path, block: str) -> None:
    engine = "engine: {use: scripted, replies: [a], without: [top_k, seed]}\n"
    (tmp_path / "judge.yaml").write_text(engine + block)
    with pytest.raises(RecipeError) as told:
        load_for_run(tmp_path / "judge.yaml", JudgeRecipe)
    assert "sampling.top_k: " in str(told.value)
    assert "set it to 0" in str(told.value)
    assert "sampling.temperature: " in str(told.value)
    load_for_run(tmp_path / "judge.yaml", JudgeRecipe, ["sampling.temperature=0"])
