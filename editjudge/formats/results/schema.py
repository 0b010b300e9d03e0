"""The JSON Schema of results.json, written to docs/results.schema.json.

python -m editjudge.formats.results.schema > docs/results.schema.json
"""

from __future__ import annotations

import json

from editjudge.formats.results.results import Results


def results_schema() -> str:
    """Return the schema as text."""
    return json.dumps(Results.model_json_schema(mode="serialization"), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(results_schema(), end="")
