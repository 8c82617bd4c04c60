#!/bin/sh
# Bring the real registries that the tests use into .test-servers/bin:
#
#   docker-registry   distribution 2.8, Debian's package, unpacked here: nothing on the system changes, no root needed
#   registry          distribution 3, built by the Go toolchain if there is one
#   crane             go-containerregistry's `crane registry serve`, likewise
#
# TAGSWEEP_TEST_SERVERS names a directory with ready binaries, which are then not fetched again. What this machine cannot
# have is told and left out, and its tests are skipped; with CI=true what it should have and cannot get is an error.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/.test-servers
bin=$root/bin
crane=github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution=github.com/distribution/distribution/v3/cmd/registry@v3.1.2
failures=0

say() { echo "test-servers: $*" >&2; }
failed() {
    say "$*"
    failures=$((failures + 1))
}
ready() { [ -n "${TAGSWEEP_TEST_SERVERS:-}" ] && [ -x "$TAGSWEEP_TEST_SERVERS/$1" ]; }

# apt with lists and cache of our own, so that it needs no root and changes nothing on the system.
own_apt() {
    apt-get -qq -o "Dir::State::Lists=$root/apt/lists" -o "Dir::Cache=$root/apt/cache" -o APT::Sandbox::User= "$@" </dev/null
}

debian_registry() {
    if [ -x "$bin/docker-registry" ] || command -v docker-registry >/dev/null || ready docker-registry; then return; fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "no docker-registry: this is no Debian or Ubuntu"
        return
    fi
    say "fetching Debian's docker-registry"
    mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$bin"
    if own_apt update && (cd "$root/apt" && own_apt download docker-registry) &&
        dpkg-deb -x "$root"/apt/docker-registry_*.deb "$root/apt/unpacked" &&
        install -m 755 "$root/apt/unpacked/usr/bin/docker-registry" "$bin/docker-registry"; then
        rm -rf "$root/apt"
    else
        rm -rf "$root/apt"
        failed "docker-registry could not be fetched (apt-get told why above)"
    fi
}

go_server() { # go_server NAME MODULE@VERSION
    stamp=$root/$1-${2##*@}
    if ready "$1" || { [ -x "$bin/$1" ] && [ -e "$stamp" ]; }; then return; fi
    if ! command -v go >/dev/null; then
        say "no $1: there is no Go toolchain to build it with"
        return
    fi
    say "building $1 ${2##*@} (the first time takes minutes)"
    mkdir -p "$bin"
    if GOBIN=$bin GOFLAGS='' CGO_ENABLED=0 go install "$2" </dev/null >"$root/$1.log" 2>&1; then
        rm -f "$root/$1"-v* "$root/$1.log"
        : >"$stamp"
    else
        tail -n 5 "$root/$1.log" >&2
        failed "$1 could not be built; all that go said is in .test-servers/$1.log"
    fi
}

debian_registry
go_server crane "$crane"
go_server registry "$distribution"
if [ "$failures" -gt 0 ] && [ "${CI:-}" = true ]; then exit 1; fi
