"""Folders of results hold one task; several judges in one recipe."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml
from eval_recipes import scores_recipe
from eval_world import write_benchmark
from published_ground import GENAI_FILE, editscore_folder, write
from pydantic import ValidationError

from editjudge.__main__ import main
from editjudge.errors import DataError
from editjudge.files.io import read_objects
from eval.benchmarks.pairs import Pairs
from eval.compare.verdict import compare_folders
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.run import run_eval


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"), groups=2)


def viescore_folder(folder: Path, score=(8, 9)) -> Path:
    for editor in ("editor0", "editor1", "editor2"):
        (folder / editor).mkdir(parents=True)
        for name in ("SC.json", "PQ.json"):
            (folder / editor / name).write_text(json.dumps({"before.png": {"score": list(score), "reasoning": ""}}))
    return folder


def test_a_folder_with_several_tasks_is_refused_and_they_are_named(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    for task in ("Text-Guided_IE", "Mask-Guided_IE"):
        viescore_folder(tmp_path / "gpt4o" / task)
    with pytest.raises(DataError, match=r"2 tasks .*\n.*Mask-Guided_IE \(viescore\)\n.*Text-"):
        read_scores(ScoresFile(path=tmp_path / "gpt4o"), bench)
    with pytest.raises(DataError, match="2 tasks"):
        read_scores(ScoresFile(path=tmp_path / "gpt4o", format="viescore"), bench)


def test_editscore_folders_of_two_judges_are_refused(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    rows = [(pair, 5, 4) for pair in bench.pairs]
    for judge in ("7B/qwen25vl", "72B/qwen25vl_vllm"):
        editscore_folder(tmp_path / judge, rows)
    with pytest.raises(DataError, match="2 tasks") as error:
        read_scores(ScoresFile(path=tmp_path), bench)
    assert f"  {tmp_path / '7B/qwen25vl'} (editscore)" in str(error.value)
    assert len(read_scores(ScoresFile(path=tmp_path / "7B"), bench).rows) == len(rows)


def test_a_folder_with_two_formats_is_refused_and_a_stray_csv_is_no_format(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    editscore_folder(tmp_path / "both" / "editscore", [(pair, 5, 4) for pair in bench.pairs])
    (tmp_path / "both" / "summary.csv").write_text("model,mean\nx,1\n")
    assert read_scores(ScoresFile(path=tmp_path / "both"), bench).format == "editscore"
    viescore_folder(tmp_path / "both" / "viescore")
    with pytest.raises(DataError, match=r"editscore \(editscore\)\n.*viescore \(viescore\)"):
        read_scores(ScoresFile(path=tmp_path / "both"), bench)


def test_an_evaluation_of_ours_is_its_own_cards_whatever_lies_below_it(tmp_path, pairs):
    """`ours/` and `probes/` below an evaluation hold other cards."""
    bench = Pairs(path=pairs).load(pairs.parent)
    rows = [(pair, 5 + place % 2, 5) for place, pair in enumerate(bench.pairs)]
    run_eval(scores_recipe(tmp_path / "out", pairs, editscore_folder(tmp_path / "r", rows)))
    assert (tmp_path / "out" / "pairs" / "ours" / "cards.jsonl").is_file()
    found = read_scores(ScoresFile(path=tmp_path / "out" / "pairs"), bench)
    assert (found.format, len(found.cards)) == ("cards", len(bench.triplets))
    assert read_scores(ScoresFile(path=tmp_path / "out"), bench).format == "cards"


def test_several_judges_in_one_recipe(tmp_path):
    """Results, leaderboard, report and `compare` have each of them."""
    told = json.loads(GENAI_FILE.read_text())
    labels = [{"idx": n, "human_vote": human} for n, human in enumerate(told["human_vote"])]
    bench = [{"use": "genai_bench", "path": str(write(tmp_path / "labels.json", labels)), "name": "GenAI-Bench"}]
    scores = []
    for name in ("gpt4o", "idefics2"):
        rows = [{"idx": n, "model_vote": vote} for n, vote in enumerate(told["model_vote"][name])]
        (tmp_path / name).mkdir()
        scores.append({"path": str(write(tmp_path / name / "pairwise.json", rows)), "name": name})
    out = tmp_path / "out"
    results = run_eval(scores_recipe(out, tmp_path, scores, bench=bench, report={"tables": ["markdown"]})).as_json()
    assert [row["label"] for row in results["evaluations"]] == ["gpt4o", "idefics2"]
    board = results["leaderboard"][0]
    assert [row["name"] for row in board["rows"] if row["kind"] == "measured"] == ["out: gpt4o", "out: idefics2"]
    values = {row["name"]: row["values"]["four_label"]["value"] for row in board["rows"] if row["kind"] == "measured"}
    assert {name: round(100 * value, 2) for name, value in values.items()} == {
        "out: gpt4o": 53.54,
        "out: idefics2": 27.31,
    }
    for file in ("report.html", "tables.md"):
        assert "idefics2" in (out / file).read_text()
    (verdict,) = compare_folders(out / "gpt4o", out / "idefics2", 100)
    assert (verdict.benchmark, verdict.n_common) == ("GenAI-Bench", 919)
    with pytest.raises(DataError, match="several judges"):
        compare_folders(out, out / "idefics2", 100)


def test_compare_lists_each_judge_once_whose_file_has_two_readings(tmp_path):
    votes = {"plain": "[[A>B]]", "odd": "[[A > B]]"}
    rows = [{"idx": n, "human_vote": "leftvote"} for n in range(6)]
    bench = [{"use": "genai_bench", "path": str(write(tmp_path / "labels.json", rows)), "name": "g"}]
    scores = []
    for name, vote in votes.items():
        file = write(tmp_path / f"{name}.json", [row | {"model_vote": vote} for row in rows])
        scores.append({"path": str(file), "name": name})
    out = tmp_path / "out"
    run_eval(scores_recipe(out, tmp_path, scores, bench=bench))
    assert (out / "odd" / "g" / "ours" / "cards.jsonl").is_file()
    with pytest.raises(DataError) as error:
        compare_folders(out, out / "odd", 100)
    assert str(error.value).splitlines()[1:] == [f"  {out / name}" for name in ("odd", "plain")]


def test_two_judges_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValidationError, match=r"two judges .*'pairwise'.*`name`"):
        scores_recipe(tmp_path, tmp_path, ["a/pairwise.json", "b/pairwise.json"])


def test_check_names_benchmarks_and_judges_of_one_name_and_nothing_else(tmp_path, capsys):
    """A list of scores that is refused is not also reported as missing."""
    path, scores = tmp_path / "my recipe.yaml", tmp_path / "scores.json"
    scores.write_text("[]")
    bench = [{"use": "genai_bench", "path": str(scores)}] * 2
    path.write_text(yaml.safe_dump({"out": str(tmp_path / "out"), "bench": bench, "scores": [str(scores)] * 2}))
    assert main(["check", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{path}: ").partition(";")[0] for line in lines] == [
        "bench.1.name: 'scores' is taken by 'scores'",
        "scores: two judges are called 'scores'",
    ]
    overrides = ["bench.1.name=b c", f"scores.1={{path: {scores}, name: d}}"]
    assert main(["check", str(path), *overrides]) == 0
    said = capsys.readouterr().out
    command = next(line for line in said.splitlines() if line.startswith("run it with: ")).partition(": ")[2]
    assert shlex.split(command) == ["editjudge", "eval", str(path), *overrides]


def test_a_folder_in_place_of_a_file_is_called_a_folder(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        list(read_objects(tmp_path))
