"""The table of commands: each runs, explains itself, and gives its results as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_ground import EXAMPLES
from fake_studio import TOKEN
from places import ROOT

from editjudge.__main__ import main
from editjudge.cli.commands import COMMANDS, Command, split

NO_RESULTS = {"quickstart", "curate report", "sft"}
"""They leave files; everything else that is in the table has `--json`."""
FAILS_HERE = {"merge", "sweep"}
"""Their examples end before there are results; test_merge.py and test_sweep_watch.py read their JSON."""


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)


def run(capsys, arguments: list[str]) -> tuple[int, str, str]:
    try:
        status = main(arguments)
    except SystemExit as ended:  # argparse
        status = int(ended.code or 0)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NO_RESULTS])
def test_every_command_with_results_has_the_option(capsys, name):
    status, shown, _ = run(capsys, [*name.split(), "--help"])
    assert status == 0
    assert "--json FILE|-" in shown


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in NO_RESULTS | FAILS_HERE])
def test_json_on_standard_output_is_all_there_is_on_it(tmp_path, capsys, name):
    with EXAMPLES[name](tmp_path) as (arguments, status, _):
        capsys.readouterr()
        ended, shown, told = run(capsys, [*arguments, "--json", "-"])
    assert ended == status, told
    assert json.loads(shown)
    assert told.strip(), "what a terminal shows goes to standard error"


@pytest.mark.parametrize("name", ["check", "score", "annotate agreement"])
def test_json_in_a_file_is_the_same(tmp_path, capsys, name):
    with EXAMPLES[name](tmp_path) as (arguments, _, _):
        capsys.readouterr()
        _, shown, told = run(capsys, [*arguments, "--json", "-"])
        _, terminal, _ = run(capsys, [*arguments, "--json", str(tmp_path / "found.json")])
    assert terminal == told
    assert (tmp_path / "found.json").read_text() == shown


def test_mistakes_of_a_recipe_are_in_the_json_of_check(tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text("out: x\nsed: 1\nstages: []\nparts: {}\n")
    status, shown, told = run(capsys, ["check", str(path), "--json", "-"])
    assert status == 2
    found = json.loads(shown)
    assert [f"{path}: {problem}" for problem in found["problems"]] == told.splitlines()
    assert found["kind"] == "curation"


def test_a_failed_command_leaves_standard_output_empty(tmp_path, capsys):
    for name in FAILS_HERE:
        with EXAMPLES[name](tmp_path) as (arguments, status, _):
            capsys.readouterr()
            assert run(capsys, [*arguments, "--json", "-"])[:2] == (status, "")


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("curate a.yaml", "curate", ["a.yaml"]),
        ("curate report runs/a", "curate report", ["runs/a"]),
        ("annotate push a.yaml seed=1", "annotate push", ["a.yaml", "seed=1"]),
    ],
)
def test_subcommands_are_found(line, name, rest):
    assert split(line.split()) == (name, rest)


@pytest.mark.parametrize("arguments", [["annotate"], ["annotate", "--help"], ["annotate", "help"]])
def test_a_group_names_its_subcommands(capsys, arguments):
    status, shown, _ = run(capsys, arguments)
    assert status == 0
    assert [name for name in COMMANDS if f"\n  {name} " in shown] == [
        name for name in COMMANDS if name.startswith("annotate ")
    ]


def test_an_unknown_subcommand(capsys):
    status, _, told = run(capsys, ["annotate", "psuh", "a.yaml"])
    assert status == 2
    assert "`annotate psuh`" in told
    assert "`annotate push`" in told


def test_a_new_command_is_its_module_and_one_entry(tmp_path, capsys, monkeypatch):
    (tmp_path / "newest.py").write_text("def main(argv):\n    print(*argv)\n    return 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "newest", Command("newest:main", "RECIPE", "what is new", "New things"))
    assert run(capsys, ["newest", "a", "b"])[:2] == (3, "a b\n")
    assert "New things:\n  newest RECIPE" in run(capsys, ["--help"])[1]


def test_recipes_of_a_new_command_are_checked(tmp_path: Path, capsys, monkeypatch):
    from editjudge.cli.commands import RecipeKind

    kind = RecipeKind("newest", ("novelty",), "newest_recipe:NewestRecipe")
    (tmp_path / "newest_recipe.py").write_text(
        "from editjudge.recipes.recipe import Recipe\n\n\nclass NewestRecipe(Recipe):\n    novelty: int\n"
    )
    (tmp_path / "recipe.yaml").write_text("out: x\nnovelty: 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "newest", Command("newest:main", "RECIPE", "what is new", "New things", kind))
    status, shown, _ = run(capsys, ["check", str(tmp_path / "recipe.yaml"), "--json", "-"])
    assert status == 0
    assert json.loads(shown)["run_with"] == f"editjudge newest {tmp_path / 'recipe.yaml'}"
