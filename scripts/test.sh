#!/usr/bin/env bash
# Set everything up and run the default test suite. Arguments go to pytest.
set -euo pipefail
source "$(dirname "$0")/venv.sh" dev
exec python -m pytest "$@"
