"""`editjudge annotate import RECIPE FILE`: import rankings made elsewhere for a campaign's groups.

They are stored in `out/imported/<unit>.jsonl`, because a pull rewrites rankings.jsonl. A unit either ranks in Label
Studio or is imported, never both: `push` sends no tasks to an imported unit. Nothing is guessed: a row that does not
rank every candidate of one known group exactly once is left out, counted and reported.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import get_args

from annotation.campaign.groups import known_rankings
from annotation.campaign.names import GroupNames, candidate_of
from annotation.campaign.records import campaign_lock, imported_file, imported_rankings, imported_units
from annotation.label_studio.mirror import load_mirror, mirror_file
from annotation.rankings.foreign import ForeignRanking, read_foreign
from annotation.recipe import AnnotationRecipe
from editjudge.cli.options import add_json, add_overrides, json_results
from editjudge.errors import DataError, RowError
from editjudge.files.io import read_jsonl, write_json, write_jsonl
from editjudge.files.paths import user_path
from editjudge.formats.campaign import PushedTask, rankings_file, read_tasks, tasks_file
from editjudge.formats.groups import Group, read_groups
from editjudge.formats.rankings import Ranking, make_ranking, parse_tiers
from editjudge.recipes.recipe import dump_recipe, load_for_run
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.system.provenance import RunRecord

IMPORT = "import.json"
"""File below `out`: the report of the last import."""

RankingId = tuple[str, Dimension, str]
"""Group, dimension and unit, which identify a ranking."""


@dataclass
class ImportReport:
    """Counts of a file's rows, and the unused rows."""

    file: str
    rows: int = 0
    rankings: dict[str, int] = field(default_factory=dict)
    """Unit -> rankings imported from this file."""
    replaced: int = 0
    """Rankings of an earlier import that this file replaced."""
    repeated: int = 0
    """Duplicate rows with the same ranking."""
    new_tasks: int = 0
    """Tasks added to tasks.jsonl."""
    problems: list[dict[str, str]] = field(default_factory=list)
    """Unused rows: `kind`, `where`, `problem`."""

    def refuse(self, kind: str, where: str, problem: str) -> None:
        """Add an unused row to the problems."""
        self.problems.append({"kind": kind, "where": where, "problem": problem})


def main(argv: list[str]) -> int:
    """Run `editjudge annotate import RECIPE FILE`; return 1 if rows of the file are unused."""
    parser = argparse.ArgumentParser(
        prog="editjudge annotate import",
        description="Take over rankings made elsewhere: tiers (3|12|45), lists of ranks, two buckets.",
    )
    parser.add_argument("recipe", metavar="RECIPE", type=user_path, help="YAML file of the campaign")
    parser.add_argument(
        "rankings", metavar="FILE", type=user_path, help="CSV, JSONL or JSON file; see docs/annotation.md"
    )
    add_overrides(parser)
    parser.add_argument("--unit", metavar="NAME", help="who ranked; needed where rows do not name their unit")
    parser.add_argument(
        "--dimension", choices=get_args(Dimension), help="what was ranked, where rows do not say (default: overall)"
    )
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    recipe = load_for_run(arguments.recipe, AnnotationRecipe, arguments.overrides, may_come=("pairs",))
    record = RunRecord(recipe.out, dump_recipe(recipe))
    with json_results(arguments.json) as write:
        with record.phase("import"):
            report = import_rankings(recipe, arguments.rankings, arguments.unit, arguments.dimension or "overall")
        write(asdict(report))
        _print(report, recipe.out)
    return 1 if report.problems else 0


def import_rankings(
    recipe: AnnotationRecipe, path: Path, unit: str | None = None, dimension: Dimension = "overall"
) -> ImportReport:
    """Match the file's rows with the recipe's groups; write `imported/`, tasks.jsonl and rankings.jsonl.

    A later import of a unit adds to the earlier one and replaces its rankings of the same task and dimension.
    `unit` overrides the unit of the rows; `dimension` is the default for rows without one. `DataError` for a unit that
    is not in the recipe or ranks in Label Studio, and for a file without a usable row.
    """
    names = [each.name for each in recipe.all_units]
    if unit is not None and unit not in names:
        raise DataError(f"--unit {unit}: the recipe names {', '.join(names)}; add it to project.units")
    with campaign_lock(recipe.out, recipe.project.title):
        reader = _Reader(recipe, ImportReport(str(path)), unit, dimension)
        for where, said in read_foreign(path):
            reader.take(where, said)
        found = reader.rankings()
        if not found:
            reasons = "; ".join(f"{row['where']}: {row['problem']}" for row in reader.report.problems[:3])
            raise DataError(f"{path}: none of its {reader.report.rows} rows can be used ({reasons or 'it has no row'})")
        _write(recipe, found, reader)
    return reader.report


class _Reader:
    """Matches the rows of a file with the groups of a campaign."""

    def __init__(self, recipe: AnnotationRecipe, report: ImportReport, unit: str | None, dimension: Dimension) -> None:
        self.report = report
        self.tasks = read_tasks(recipe.out)
        self._shown = {key: row.candidates for key, row in self.tasks.items()}
        """Group -> the candidates that rankings must contain: recorded, or from the first usable row."""
        self._recipe = recipe
        self._unit = unit
        self._dimension = dimension
        self._units = {each.name for each in recipe.all_units}
        self._groups = GroupNames(read_groups(recipe.project.groups), recipe.project.groups)
        gold = recipe.project.gold
        self._gold = set() if gold is None else {row.task_id for row in known_rankings(gold)}
        self._found: dict[RankingId, tuple[str, Ranking]] = {}
        self._twice: set[RankingId] = set()

    def take(self, where: str, said: ForeignRanking | RowError) -> None:
        """Keep the ranking of a row, or report why it is unusable."""
        self.report.rows += 1
        try:
            if isinstance(said, RowError):
                raise said
            self._keep(where, self._ranking(said))
        except RowError as problem:
            self.report.refuse(problem.kind, where, str(problem))

    def rankings(self) -> list[Ranking]:
        """Return the usable rankings, without those that two rows contradict."""
        kept = [ranking for key, (_, ranking) in self._found.items() if key not in self._twice]
        for ranking in kept:
            self.report.rankings[ranking.annotator] = self.report.rankings.get(ranking.annotator, 0) + 1
            if ranking.task_id not in self.tasks:
                self.report.new_tasks += 1
                self.tasks[ranking.task_id] = PushedTask(
                    group_id=ranking.task_id,
                    task_id=ranking.task_id,
                    instruction=self._groups.known[ranking.task_id].task.instruction,
                    candidates=ranking.shown,
                    is_gold=ranking.task_id in self._gold,
                )
        return kept

    def _keep(self, where: str, ranking: Ranking) -> None:
        key = (ranking.task_id, ranking.dimension, ranking.annotator)
        first, known = self._found.setdefault(key, (where, ranking))
        if known is ranking:
            return
        if known.tiers == ranking.tiers:
            self.report.repeated += 1
            return
        problem = f"{ranking.annotator} ranks {ranking.task_id} in {ranking.dimension} as {ranking.notation} here"
        if key not in self._twice:
            self.report.refuse(
                "two_rankings", first, f"{problem.replace(ranking.notation, known.notation)}; two differ"
            )
            self._twice.add(key)
        self.report.refuse("two_rankings", where, f"{problem}; two differ, and none is used")

    def _ranking(self, said: ForeignRanking) -> Ranking:
        unit = said.unit if self._unit is None else self._unit
        if unit is None:
            raise RowError("no_unit", "no column `unit` or `annotator` says who ranked; give --unit NAME")
        if unit not in self._units:
            raise RowError("unknown_unit", f"unit {unit!r}; the recipe names {', '.join(sorted(self._units))}")
        named = self._dimension if said.dimension is None else said.dimension
        dimension = next((name for name in DIMENSIONS if name == named), None)
        if dimension not in self._recipe.project.dimensions or dimension is None:
            asked = ", ".join(self._recipe.project.dimensions)
            raise RowError("unknown_dimension", f"dimension {named!r}; project.dimensions has {asked}")
        group = self._groups.find(said)
        shown, numbers = self._numbers(said, group)
        try:
            ranking = make_ranking(group.task.id, dimension, unit, numbers, shown, said.seconds)
        except DataError as error:
            raise RowError("not_a_ranking", str(error)) from error
        self._shown.setdefault(group.task.id, shown)
        return ranking

    def _numbers(self, said: ForeignRanking, group: Group) -> tuple[tuple[str, ...], list[list[int]]]:
        """Return the candidates in shown order, and the tiers as their numbers."""
        recorded = self._shown.get(group.task.id)
        names = said.candidates
        own = None if names is None else tuple(candidate_of(name, group) for name in names)
        order = own or recorded or tuple(group.triplets)
        if isinstance(said.tiers, str):
            try:
                tiers = [[order[number - 1] for number in tier] for tier in parse_tiers(said.tiers, len(order))]
            except DataError as error:
                raise RowError("not_a_ranking", str(error)) from error
        else:
            tiers = [[candidate_of(name, group) for name in tier] for tier in said.tiers]
        ranked = [name for tier in tiers for name in tier]
        shown = recorded or own or tuple(name for name in group.triplets if name in ranked)
        others = sorted({*ranked} ^ {*shown})
        if others:
            raise RowError("other_candidates", f"{group.task.id}: ranked or shown, but not both: {', '.join(others)}")
        if len(shown) < 2:
            raise RowError("not_a_ranking", f"{group.task.id}: one candidate alone cannot be ranked")
        return shown, [[shown.index(name) + 1 for name in tier] for tier in tiers]


def _write(recipe: AnnotationRecipe, found: list[Ranking], reader: _Reader) -> None:
    out = recipe.out
    for unit in reader.report.rankings:
        mirror = load_mirror(out, unit)
        if mirror is not None and (mirror.tasks or mirror.deleted):
            raise DataError(
                f"{mirror_file(out, unit)}: unit {unit} ranks in Label Studio; import the file as another unit (--unit)"
            )
        path = imported_file(out, unit)
        before = {(row.task_id, row.dimension): row for row in (read_jsonl(path, Ranking) if path.exists() else ())}
        mine = {(row.task_id, row.dimension): row for row in found if row.annotator == unit}
        reader.report.replaced += sum(key in before and before[key].tiers != row.tiers for key, row in mine.items())
        write_jsonl(path, [*(before | mine).values()])
    write_jsonl(tasks_file(out), reader.tasks.values())
    units = [unit.name for unit in recipe.all_units]
    there = read_jsonl(rankings_file(out), Ranking) if rankings_file(out).exists() else ()
    kept = [row for row in there if row.annotator not in imported_units(out, units)]
    write_jsonl(rankings_file(out), [*kept, *imported_rankings(out, units)])
    write_json(out / IMPORT, asdict(reader.report))


def _print(report: ImportReport, out: Path) -> None:
    for unit, count in report.rankings.items():
        print(f"{unit}: {count:,} rankings from {report.file}")
    if report.replaced:
        print(f"  {report.replaced:,} of them replace rankings of an earlier import")
    if report.repeated:
        print(f"  {report.repeated:,} rows repeat an earlier row")
    print(f"{report.new_tasks:,} new tasks in {tasks_file(out)}; rankings: {rankings_file(out)}")
    for row in report.problems[:10]:
        print(f"not used: {row['where']}: {row['problem']} ({row['kind']})")
    if report.problems:
        print(f"rows that are not used: {len(report.problems):,} of {report.rows:,}, all of them in {out / IMPORT}")
