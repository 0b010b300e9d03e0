#!/usr/bin/env bash
# Set everything up and run the default test suite, with one worker per available core.
# Arguments go to pytest: `-n 0` runs without workers, `-m slow` the slow tests, `-p randomly` in random order.
set -euo pipefail
source "$(dirname "$0")/venv.sh" dev
exec python -m pytest -n auto --dist loadfile "$@"
