# Sourced by the other scripts: makes or reuses .venv with the extra named in $1, and puts it on PATH.
# Without an NVIDIA GPU, torch is installed as its CPU build; see torch_build.py for the variables that change this.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extra="$1"
python="${PYTHON:-python3}"

if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "EditJudge needs Python 3.10 or newer with venv and pip. On Debian: apt-get install python3-venv python3-pip" >&2
    exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv

# The stamp identifies the installation: a second run starts at once, and detects a changed pyproject.toml.
stamp=".venv/installed-$extra"
wanted="$(cksum pyproject.toml | cut -d' ' -f1,2) $PWD"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    torch="torch>=2.11,<2.14"
    build="$(.venv/bin/python scripts/torch_build.py "$torch")"
    echo "Installing EditJudge [$extra] into .venv (a few minutes; once)"
    # torch first: DeepSpeed is built on this machine, and its build reads the installed torch.
    # shellcheck disable=SC2086 # several arguments or none
    .venv/bin/python -m pip install --quiet --disable-pip-version-check $build "$torch"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "setuptools>=77" wheel ninja
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[$extra]"
    echo "$wanted" > "$stamp"
fi
PATH="$PWD/.venv/bin:$PATH"
export PATH
