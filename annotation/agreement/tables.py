"""The tables that the commands print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from annotation.agreement.figures import POOLED, DimensionAgreement
from annotation.agreement.measures import Figure
from annotation.agreement.quality import UnitQuality
from annotation.agreement.ratings import SCALES, Ratings
from annotation.rankings.consensus import REASONS
from annotation.rankings.pairs import PairReport

EXPLAINED = {
    "identical": "two units give the identical ranking",
    "kendall_tau_b": "Kendall's tau-b (1 same order, 0 none, -1 reversed)",
    "krippendorff_alpha": "Krippendorff's alpha, ordinal (1 perfect, 0 chance)",
    "fleiss_kappa": "Fleiss' kappa of better/tied/worse (1 perfect, 0 chance)",
    "majority_relation": "pairs of candidates as the majority",
    "majority_ranking": "whole rankings as the majority",
    "others_relation": "pairs as the majority of the others",
}
_LEAKS = {
    "source_in_training": "the photograph is a source of the training set",
    "image_in_training": "an image is in the training set",
}


def show(*tables: Table) -> None:
    """Print on standard output; if it is a file, at least 160 characters wide."""
    console = Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=max(console.width, 160))
    for table in tables:
        console.print(table)


def agreement_table(found: Mapping[str, DimensionAgreement], title: str, level: float) -> Table:
    """Return a table of measures x dimensions."""
    table = Table(title=escape(title), caption=f"value [{level:.0%} interval from resampled tasks]", show_lines=False)
    table.add_column("measure")
    for name in found:
        table.add_column(dimension_name(name))
    _add_row(table, "tasks ranked by two units or more", *(f"{part.n_shared:,}" for part in found.values()))
    for key in next(iter(found.values())).figures if found else ():
        _add_row(table, measure_name(key), *(part.figures[key].text() for part in found.values()))
    return table


def majority_table(found: Mapping[str, DimensionAgreement], level: float) -> Table:
    """Return a table of units x dimensions: agreement with the majority vote."""
    table = Table(
        title="Units against the majority vote",
        caption=f"share [{level:.0%} interval]; the last row of a unit leaves its own vote out of the majority",
    )
    table.add_column("unit")
    table.add_column("what agrees")
    for name in found:
        table.add_column(dimension_name(name))
    for unit in next(iter(found.values())).units if found else ():
        for key in ("majority_ranking", "majority_relation", "others_relation"):
            cells = (part.units[unit][key].text() for part in found.values())
            _add_row(table, unit if key == "majority_ranking" else "", measure_name(key), *cells)
    return table


def quality_table(report: Mapping[str, UnitQuality]) -> Table:
    """Return a table with one row per unit."""
    table = Table(
        title="Units",
        caption="gold: whole rankings and pairs of candidates as the known answer; repeats: as the unit's own first",
    )
    for name in ("unit", "tasks", "s/task", "fastest tenth", "tied pairs", "one tier only"):
        table.add_column(name, justify="left" if name == "unit" else "right")
    for name in ("gold: rankings", "gold: pairs", "repeats: rankings", "repeats: pairs"):
        table.add_column(name)
    for unit, found in report.items():
        _add_row(
            table,
            unit,
            f"{found.n_tasks:,}",
            _number(found.seconds_median, ".0f"),
            _number(found.seconds_p10, ".0f"),
            _number(found.tied, ".1%"),
            _number(found.one_tier, ".1%"),
            *(_brief(part[key]) for part in (found.gold, found.repeats) for key in ("identical", "relation")),
        )
    return table


def ratings_table(ratings: Ratings) -> Table:
    """Return a table of models and scales x mean, spread and agreement, two decimals."""
    raters = "1 rater" if len(ratings.files) == 1 else f"{len(ratings.files)} raters"
    table = Table(
        title=f"{raters}, {ratings.n_images:,} images",
        caption="SC semantic consistency, PQ perceptual quality, O = sqrt(SC * PQ), each 0 to 1; mean of the raters' "
        "means, standard deviation between them; 95 % intervals from resampled images; agreement: 1 perfect, 0 chance",
    )
    for name in ("model", "", "mean", "std", "Fleiss' kappa", "Krippendorff's alpha"):
        table.add_column(name)
    for model, scales in ratings.models.items():
        for scale, found in scales.items():
            figures = found.figures
            agreement = (figures[key].text(2) for key in ("fleiss_kappa", "krippendorff_alpha"))
            spread = _number(figures["std"].value, ".2f")
            _add_row(table, model if scale == SCALES[0] else "", scale, figures["mean"].text(2), spread, *agreement)
        table.add_section()
    return table


def pairs_table(report: PairReport) -> Table:
    """Return a table of the kept and dropped candidate pairs, per dimension."""
    table = Table(title=f"{len(report.pairs):,} preference pairs")
    table.add_column("")
    for name in report.dimensions:
        table.add_column(dimension_name(name), justify="right")
    parts = report.dimensions.values()
    _add_row(table, "tasks", *(f"{part.tasks:,}" for part in parts))
    _add_row(table, "pairs of candidates", *(f"{part.candidate_pairs:,}" for part in parts))
    _add_row(table, "kept", *(f"{part.kept:,}" for part in parts))
    for reason, text in (REASONS | _LEAKS).items():
        if any(reason in part.dropped for part in parts):
            _add_row(table, f"left out: {text}", *(f"{part.dropped.get(reason, 0):,}" for part in parts))
    _add_row(table, "units contradict each other (kept or not)", *(f"{part.contradicted:,}" for part in parts))
    return table


def dimension_name(name: str) -> str:
    """Return a dimension's name in tables."""
    return "all together" if name == POOLED else name.replace("_", " ")


def measure_name(key: str) -> str:
    """Return a measure's name in tables."""
    name, _, threshold = key.partition("@")
    return f"converged: {float(threshold):.0%} of the units identical" if threshold else EXPLAINED[name]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _brief(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    known = figure.low is not None and figure.high is not None
    interval = f" [{figure.low:.2f}, {figure.high:.2f}]" if known else ""
    return f"{figure.value:.2f}{interval} (n={figure.n})"


def _add_row(table: Table, *cells: str) -> None:
    """Add escaped cells: rich would read the square brackets of names and intervals as markup."""
    table.add_row(*(escape(cell) for cell in cells))
