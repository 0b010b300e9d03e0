"""`editjudge merge`: merge an adapter and its base into one folder of full weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from editjudge.cli.options import add_json, json_results
from editjudge.engines.merge import TOLERANCE, merge
from editjudge.engines.quiet import quiet
from editjudge.files.paths import user_model, user_path


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="editjudge merge", description="Merge an adapter into its base, verified.")
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", type=user_path, help="folder of a checkpoint or any PEFT adapter"
    )
    parser.add_argument("out", metavar="OUT", type=user_path, help="new folder for the merged model")
    parser.add_argument(
        "--base", type=user_model, help="folder or hub name of the base (default: what the adapter names)"
    )
    parser.add_argument("--dtype", choices=TOLERANCE, help="of the merged weights; by default the base's own")
    add_json(parser)
    options = parser.parse_args(argv)
    quiet(main=True)
    with json_results(options.json) as write:
        gap = merge(options.checkpoint, options.out, options.base, options.dtype)
        write({"out": options.out, "largest_difference": gap})
        print(f"{options.out}: merged; logits differ from the adapter's by at most {gap:.1e} of the largest logit")
    return 0
