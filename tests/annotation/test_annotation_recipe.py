from __future__ import annotations

import pytest
from studio_ground import make_recipe

from annotation.recipe import AnnotationRecipe
from editjudge.cli.check import command_of
from editjudge.errors import RecipeError
from editjudge.recipes.recipe import load_recipe

WHOLE = """
out: runs/x
project:
  title: Trial
  groups: groups.jsonl
  units: [{name: a}, {name: b, kind: pair, members: [ben, carl]}]
"""


def write(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def test_a_recipe_is_known_by_its_project(tmp_path):
    path = write(tmp_path, WHOLE)
    assert command_of(path)[0] == "annotate serve"
    recipe = load_recipe(path, AnnotationRecipe)
    assert recipe.project.candidates == 5
    assert recipe.project.dimensions == ("prompt_following", "consistency", "overall")
    assert recipe.project.predictions is None, "a judge's ranking biases people: only when asked for"
    assert recipe.project.project_title(recipe.project.units[1]) == "Trial - b"
    assert "b (pair)" in recipe.describe()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("project.units.1.members=[ben]", "members: a pair has 2"),
        ("project.units.1.members=[ben, ben]", "listed twice"),
        ("project.units.0.name=B", "twice: b"),
        ("project.units.0.name=a b", "project.units.0.name"),
        ("project.units=[]", "project.units"),
        ("project.candidates=1", "project.candidates"),
        ("project.candidates=21", "project.candidates"),
        ("project.dimensions=[overall, overall]", "project.dimensions"),
        ("project.title=An exceedingly long title of an annotation project", "50 characters"),
        ("project.candidtaes=5", "did you mean `candidates`?"),
        ("project.gold={rankings: g.jsonl, rate: 0}", "project.gold.rate"),
        ("server.url=localhost:8080", "server.url"),
        ("server.url=https://studio.example", "images_url"),
        ("server={url: 'https://studio.example:80a/', images_url: /images/}", "server.url: Port "),
        ("server={url: 'https://studio.example:70000', images_url: /images/}", "server.url: Port "),
        ("server={url: 'https://studio.example:0', images_url: /images/}", "server.url: "),
        ("server={url: 'https://:8080', images_url: /images/}", "server.url: "),
        ("server={url: 'https://[::1', images_url: /images/}", "server.url: "),
        ("server={url: 'https://a.example', images_url: 'https://a.example:x/'}", "server.images_url: Port"),
        ("server.local.port=80", "server.local.port"),
        ("pairs.consensus=adjudicated", "adjudicator"),
        ("pairs={consensus: adjudicated, adjudicator: A}", "ranks with"),
        ("pairs.adjudicator=judge", "pairs: adjudicator"),
        ("agreement.thresholds=[75]", "agreement.thresholds"),
    ],
)
def test_mistakes_are_told(tmp_path, override, expected):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, WHOLE), AnnotationRecipe, [override])
    assert expected in str(caught.value)


def test_all_images_of_a_campaign_are_below_its_out(tmp_path):
    assert make_recipe(tmp_path / "out", tmp_path / "groups.jsonl").served == tmp_path / "out" / "served"
