"""The schema of results.json that is in the docs is that of the records."""

from places import ROOT

from editjudge.formats.results.schema import results_schema


def test_the_schema_in_the_docs_is_that_of_the_records():
    path = ROOT / "docs" / "results.schema.json"
    assert path.read_text() == results_schema(), (
        "run: python -m editjudge.formats.results.schema > docs/results.schema.json"
    )
