# Sourced by the other scripts: makes or reuses .venv with the extra named in $1, and puts it on PATH.
# On a machine without a GPU, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu saves a large download.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extra="$1"
python="${PYTHON:-python3}"

if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "EditJudge needs Python 3.10 or newer with venv and pip. On Debian: apt-get install python3-venv python3-pip" >&2
    exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv

# The stamp holds what was installed, so that a second run starts at once and a changed pyproject.toml is noticed.
stamp=".venv/installed-$extra"
wanted="$(cksum pyproject.toml | cut -d' ' -f1,2) $PWD"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing EditJudge [$extra] into .venv (about 1.5 GB, a few minutes; once)"
    # DeepSpeed is built on this machine and looks at the installed torch while it is.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "torch>=2.11,<2.14" "setuptools>=77" wheel ninja
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[$extra]"
    echo "$wanted" > "$stamp"
fi
PATH="$PWD/.venv/bin:$PATH"
export PATH
