"""Take the screenshots of docs/annotation.md: real page, real server, real browser, tasks of the quick trial.

    python scripts/annotation_screenshots.py
    python scripts/annotation_screenshots.py --size 1920x1080 --to /tmp/large

Needs the extra `dev`, Chromium with its driver, and the candidates that quick_trial.yaml names. The server runs in a
temporary folder and stops with the script.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from annotator import Annotator
from PIL import Image

from annotation.label_studio import server
from annotation.label_studio.client import Studio
from annotation.label_studio.home import Home
from annotation.label_studio.install import default_venv, ensure_installed
from annotation.label_studio.mirror import StudioTask, load_mirror
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.recipe import AnnotationRecipe
from editjudge.cli.commands import load_command
from editjudge.files.io import read_jsonl, rng, write_jsonl
from editjudge.files.paths import user_path
from editjudge.formats.groups import group_files
from editjudge.recipes.recipe import load_recipe
from editjudge.records.tasks import Dimension
from editjudge.records.types import ScoreCard
from editjudge.statistics.tiers import tiers_of_scores

RECIPE = ROOT / "recipes" / "annotation" / "quick_trial.yaml"
SHOWN = "Make the photo darker and add "
"""Beginning of the instruction of the task on the screenshots."""
TWO_UNITS = (
    "project.units=[{name: anna}, {name: bert}]",
    "pairs={consensus: adjudicated, adjudicator: carla}",
)
N_TASKS = 24
"""Tasks in the campaign of two units."""


@dataclass(frozen=True)
class Stage:
    """Server, data and output folder of the screenshots."""

    folder: Path
    url: str
    home: Home
    groups: Path
    """JSONL of score cards."""
    one: Path
    """JSONL of the score cards of the one group on the screenshots."""
    images: Path
    to: Path

    def campaign(self, name: str, groups: Path, *overrides: str) -> tuple[str, ...]:
        """Return arguments of `editjudge annotate push` and the other steps, for a separate campaign."""
        out = self.folder / name
        out.mkdir(exist_ok=True)
        if not (out / "served").exists():
            (out / "served").symlink_to(self.folder / "served")
        own = (
            f"out={out}",
            f"server.local.data={self.home.folder}",
            f"project.groups={groups}",
            "project.max_tasks=null",
        )
        return (str(RECIPE), *own, f"project.images={self.images}", *overrides)

    def cards(self) -> dict[str, ScoreCard]:
        """Return the measured score cards of all candidates, by triplet id."""
        return {card.triplet.id: card for card in read_jsonl(self.groups, ScoreCard)}

    def connect(self) -> Studio:
        """Connect to the server."""
        return Studio(self.url, self.home.make_credentials().token)


def choose_groups(recipe: AnnotationRecipe, n: int) -> list[ScoreCard]:
    """Return score cards of `n` groups; the first is the clearest: a `SHOWN` task, all scores different."""
    by_task: dict[str, list[ScoreCard]] = {}
    for path in group_files(recipe.project.groups)[0]:
        for card in read_jsonl(path, ScoreCard):
            by_task.setdefault(card.triplet.task.id, []).append(card)
    whole = [cards for cards in by_task.values() if len(cards) == recipe.project.candidates]

    def tells(cards: list[ScoreCard]) -> tuple[bool, int]:
        scores = {round(card.overall or 0) for card in cards}
        return cards[0].triplet.task.instruction.startswith(SHOWN), len(scores)

    first = max(whole, key=tells)
    return [card for cards in [first, *(cards for cards in whole if cards is not first)][:n] for card in cards]


def blurred_tiers(
    recipe: AnnotationRecipe, task: StudioTask, cards: dict[str, ScoreCard], unit: str, spread: float
) -> dict[Dimension, list[list[int]]]:
    """Return a plausible ranking by an annotator: the measured scores with noise of `spread` points."""
    generator = rng(1, "screenshots", unit, str(task.group_id))
    tiers: dict[Dimension, list[list[int]]] = {}
    for name in layout_of(recipe).dimensions:
        measured = [cards[triplet].value(name) for triplet in task.candidates]
        assert None not in measured, f"{task.group_id} is not scored"
        blurred = {n: (value or 0.0) + float(generator.normal(0, spread)) for n, value in enumerate(measured, start=1)}
        tiers[name] = tiers_of_scores(blurred, 1.5)
    return tiers


def tasks_of(recipe: AnnotationRecipe, unit: str) -> list[StudioTask]:
    """Return the tasks of a unit."""
    mirror = load_mirror(recipe.out, unit)
    assert mirror is not None
    return [*mirror.tasks.values()]


def run(*argv: str) -> None:
    """Run a step of `editjudge annotate`, which must succeed."""
    if load_command(f"annotate {argv[0]}")([*argv[1:]]) != 0:
        raise SystemExit(f"editjudge annotate {' '.join(argv)} failed")


def load(arguments: Sequence[str]) -> AnnotationRecipe:
    """Load the recipe from the arguments of a step."""
    return load_recipe(arguments[0], AnnotationRecipe, arguments[1:])


def project_of(recipe: AnnotationRecipe, unit: str) -> int:
    """Return the id of a unit's project."""
    mirror = load_mirror(recipe.out, unit)
    assert mirror is not None
    return int(mirror.project.partition("@")[0])


def take(annotator: Annotator, stage: Stage, name: str) -> None:
    """Save the window's content with 256 colours, because the images are part of the repository."""
    picture = Image.open(io.BytesIO(annotator.chrome.get_screenshot_as_png())).convert("RGB")
    path = stage.to / f"annotation-{name}.png"
    picture.quantize(256).save(path, optimize=True)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB", flush=True)


def page_pictures(annotator: Annotator, stage: Stage) -> None:
    """Take `instructions`, `page` and `enlarged`: one task, half ranked."""
    campaign = stage.campaign("page", stage.one)
    run("push", *campaign)
    recipe = load(campaign)
    annotator.open(project_of(recipe, "me"), dismiss=False)
    annotator.all(".ej-guide", at_least=1)
    annotator.loaded()
    take(annotator, stage, "instructions")
    annotator.dismiss()
    tiers = blurred_tiers(recipe, tasks_of(recipe, "me")[0], stage.cards(), "me", 0)
    for name, last in (("prompt_following", 5), ("consistency", 3)):
        for tier, numbers in enumerate(tiers[name], start=1):
            for number in (number for number in numbers if number <= last):
                annotator.choose(name, number, tier)
    annotator.rest(".ej-hint")
    take(annotator, stage, "page")
    frame = annotator.rest(".ej-candidate .ej-frame", 2)
    annotator.wait.until(lambda _: frame.find_element("css selector", ".ej-large").is_displayed())
    take(annotator, stage, "enlarged")


def two_units(annotator: Annotator, stage: Stage) -> None:
    """Take `status` and `adjudication`: two units, of which one has two tasks left."""
    campaign = stage.campaign("two", stage.groups, *TWO_UNITS)
    run("push", *campaign)
    recipe, cards = load(campaign), stage.cards()
    with stage.connect() as studio:
        for unit, spread, left in (("anna", 0.3, 0), ("bert", 1.2, 2)):
            for task in tasks_of(recipe, unit)[: N_TASKS - left]:
                result = make_result(layout_of(recipe), blurred_tiers(recipe, task, cards, unit, spread))
                seconds = rng(1, "seconds", unit, str(task.group_id)).integers(35, 110)
                studio.sdk.annotations.create(task.id, result=result, lead_time=float(seconds))
    run("status", *campaign)
    annotator.chrome.get((recipe.out / "status.html").as_uri())
    take(annotator, stage, "status")
    run("agreement", *campaign)
    run("push", *campaign, "--disputes")
    annotator.open(project_of(recipe, "carla"))
    take(annotator, stage, "adjudication")


@contextmanager
def prepared(to: Path) -> Iterator[Stage]:
    """Start a server in a separate folder, and prepare the groups for the screenshots."""
    recipe = load_recipe(RECIPE, AnnotationRecipe)
    chosen = choose_groups(recipe, N_TASKS)
    images = group_files(recipe.project.groups)[1].resolve()
    folder = Path(tempfile.mkdtemp(prefix="screenshots-"))
    home = Home(folder / "home")
    try:
        write_jsonl(folder / "groups.jsonl", chosen)
        write_jsonl(folder / "one.jsonl", chosen[: recipe.project.candidates])
        found = server.start(home, ensure_installed(default_venv()), folder / "served", 18289, 600)
        yield Stage(folder, found.url, home, folder / "groups.jsonl", folder / "one.jsonl", images, to)
    finally:
        server.stop(home)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1366x768", help="of the window's content, in pixels")
    parser.add_argument("--to", type=user_path, default=ROOT / "docs" / "images", help="folder")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    arguments.to.mkdir(parents=True, exist_ok=True)
    with prepared(arguments.to) as stage:
        annotator = Annotator(stage.url, stage.home.make_credentials(), stage.folder / "profile", width, height)
        try:
            page_pictures(annotator, stage)
            two_units(annotator, stage)
        finally:
            annotator.chrome.quit()


if __name__ == "__main__":
    main()
