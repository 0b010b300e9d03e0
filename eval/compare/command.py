"""`editjudge compare A B`: significance test of the difference between two judges, in words and as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from editjudge.cli.options import add_json, json_results
from editjudge.files.paths import user_path
from editjudge.statistics.bootstrap import ROUNDS
from eval.compare.verdict import compare_folders
from eval.compare.words import describe


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="editjudge compare", description="Say whether judge A differs from judge B by more than noise."
    )
    parser.add_argument(
        "a", metavar="A", type=user_path, help="folder of an evaluation, or of a finished `editjudge eval`"
    )
    parser.add_argument("b", metavar="B", type=user_path, help="the same of the other judge")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="bootstrap rounds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    add_json(parser)
    arguments = parser.parse_args(argv)
    if arguments.rounds < 100:
        parser.error(f"--rounds: at least 100, not {arguments.rounds}")
    with json_results(arguments.json) as write:
        found = [
            verdict.as_json() for verdict in compare_folders(arguments.a, arguments.b, arguments.rounds, arguments.seed)
        ]
        write({"rounds": arguments.rounds, "seed": arguments.seed, "level": 0.05, "benchmarks": found})
        print("\n\n".join(describe(verdict, arguments.rounds) for verdict in found))
    return 0
