from __future__ import annotations

import json

from editjudge.training.journal import Journal, forget_after


def test_a_resumed_run_forgets_what_lies_after_its_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    forget_after(path, 0)  # there is none yet
    for step in (1, 2, 3):
        Journal(path).write(step, {"loss": 0.5 / step})
    with path.open("a") as handle:
        handle.write('{"step": 4, "lo')  # the process was killed here
    forget_after(path, 2)
    Journal(path).write(3, {"reward": 0.25})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["step"], row.get("loss"), row.get("reward")) for row in rows] == [
        (1, 0.5, None),
        (2, 0.25, None),
        (3, None, 0.25),
    ]
    assert all(row["seconds"] >= 0 for row in rows)
