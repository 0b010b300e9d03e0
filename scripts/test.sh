#!/usr/bin/env bash
# Set everything up and run the default test suite, on as many workers as this process may use cores.
# Arguments go to pytest: `-n 0` runs without workers, `-m slow` the slow tests, `-p randomly` in random order.
set -euo pipefail
source "$(dirname "$0")/venv.sh" dev
exec python -m pytest -n auto --dist loadfile "$@"
