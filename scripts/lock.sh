#!/bin/sh
# Resolve requirements/*.txt from pyproject.toml and requirements/*.in: one lock for every supported Python and platform,
# with the hash of every file. Versions that are locked stay unless UPGRADE=1 (all) or a bound in pyproject.toml moves them.
set -eu
cd "$(dirname "$0")/.."
oldest=$(sed -n 's/^requires-python = ">=\(.*\)"$/\1/p' pyproject.toml)

resolve() { # resolve OUTPUT INPUT…
    output=$1
    shift
    UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/python -m uv pip compile --quiet --universal --generate-hashes \
        --python-version "$oldest" --no-emit-index-url --no-emit-find-links ${UPGRADE:+--upgrade} \
        --output-file "$output" "$@"
    echo "lock: $output: $(grep -c '^[A-Za-z0-9]' "$output") packages"
}

resolve requirements/run.txt pyproject.toml
resolve requirements/build.txt requirements/build.in --constraints requirements/run.txt
resolve requirements/dev.txt pyproject.toml requirements/build.in requirements/dev.in \
    --constraints requirements/run.txt --constraints requirements/build.txt
