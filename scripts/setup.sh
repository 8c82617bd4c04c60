#!/bin/sh
# Make .venv and install the locked, hash-checked packages and tagsweep itself into it.
#
#   scripts/setup.sh run    what tagsweep needs to run
#   scripts/setup.sh dev    also what checks and tests it
#
# Needs any Python from 3.11 on; PYTHON=/path/to/python chooses one. A second run changes nothing and returns at once:
# a stamp in .venv holds everything that the installation depends on.
set -eu
cd "$(dirname "$0")/.."

kind=${1:?say what to set up: run or dev}
case $kind in
run) locks="-r requirements/run.txt -r requirements/build.txt" ;;
dev) locks="-r requirements/dev.txt" ;;
*) echo "setup: '$kind' is neither run nor dev" >&2; exit 2 ;;
esac
venv=.venv

# Everything that decides what is in .venv; the path is part of it because an editable installation remembers it.
fingerprint() { pwd; cat requirements/run.txt requirements/build.txt requirements/dev.txt pyproject.toml; }
stamped() { [ -f "$venv/.tagsweep-$1" ] && fingerprint | cmp -s - "$venv/.tagsweep-$1"; }
if "$venv/bin/python" -c '' 2>/dev/null && { stamped "$kind" || stamped dev; }; then
    exit 0
fi

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_make_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The first Python that can make an environment; failing that, the first that is new enough.
chosen="" fallback=""
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    new_enough "$candidate" || continue
    if can_make_venvs "$candidate"; then chosen=$candidate; break; fi
    [ -n "$fallback" ] || fallback=$candidate
done
if [ -z "$chosen$fallback" ]; then
    echo "setup: no Python 3.11 or newer found${PYTHON:+ at $PYTHON} (python3 is: $(python3 --version 2>&1 || true))." >&2
    echo "setup: install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make … PYTHON=/path/to/python3" >&2
    exit 1
fi

# Debian and Ubuntu split ensurepip off into a package of its own.
if [ -z "$chosen" ]; then
    package="python$("$fallback" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        echo "setup: $fallback cannot make virtual environments; installing $package"
        $sudo apt-get -qq update </dev/null &&
            DEBIAN_FRONTEND=noninteractive $sudo apt-get -qq install -y --no-install-recommends "$package" </dev/null >/dev/null ||
            echo "setup: installing $package failed" >&2
    fi
    if ! can_make_venvs "$fallback"; then
        echo "setup: $fallback has no ensurepip, which makes virtual environments." >&2
        echo "setup: install it as root (apt-get install $package), or name another Python: make … PYTHON=/path/to/python3" >&2
        exit 1
    fi
    chosen=$fallback
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || ! new_enough "$venv/bin/python"; then
    echo "setup: making $venv with $("$chosen" --version)"
    rm -rf "$venv"
    "$chosen" -m venv "$venv"
fi
rm -f "$venv"/.tagsweep-*
echo "setup: installing the locked packages ($kind)"
install() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input install "$@"; }
# shellcheck disable=SC2086  # the locks are words of their own
install --require-hashes $locks
install --no-deps --no-build-isolation --editable .
fingerprint >"$venv/.tagsweep-$kind"
