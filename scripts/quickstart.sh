#!/usr/bin/env bash
# Set everything up and run the whole loop: photographs -> curated edits -> a trained judge -> a measured judge.
# Arguments go to `editjudge quickstart`.
set -euo pipefail
source "$(dirname "$0")/venv.sh" quickstart
exec editjudge quickstart "$@"
