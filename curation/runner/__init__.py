"""Run a curation recipe: steps, workers, resume, funnel and report."""
