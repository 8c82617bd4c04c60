"""Shell scripts: which words name images, what variables can be, and what only looks alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.shell import SYNTAX, find
from tagsweep.sources.syntaxes.template import known
from tests.unit.sources.syntaxes.planted import found, mangled, short, survives

SCRIPT = r"""#!/usr/bin/env bash
set -euo pipefail
VERSION=1.2
readonly BASE="registry.example/team/base:${VERSION}"
export IMAGES=(team/one:1 "team/two:2")
if [ -n "$CI" ]; then
  CHANNEL=edge
fi
sudo -E docker run --rm -it -p 8080:80 -e A=b --name web \
  -v "$PWD/data:/data:ro" \
  "$BASE" serve --port 80
docker pull team/app:$CHANNEL && podman pull quay.io/team/tool:3 | tee log
for name in team/gateway team/ui; do
  docker pull "$name:${VERSION}"
done
for image in "${IMAGES[@]}"; do docker push "$image"; done
docker buildx build --platform linux/amd64,linux/arm64 -t team/built:1 -f x/Dockerfile \
  --cache-from type=registry,ref=team/cache:main --cache-to=type=registry,ref=team/cache:main,mode=max \
  --build-context base=docker-image://alpine:3.20 --push .
docker service create --name web --replicas 2 team/service:1
docker service update --image team/service:2 web
skopeo copy docker://team/from:1 docker://registry.example/team/to:1
crane digest team/crane:1
kubectl -n prod set image deployment/web web=team/kube:5 side=nginx
kubectl run shell --rm -it --image=busybox -- sh
kind load docker-image team/kind:1 --name dev
k3d image import team/k3d:1 team/k3d:2 -c dev
helm upgrade web oci://ghcr.io/team/charts/web --version 1.2.3+4 --set image.repository=team/helm,image.tag=9
ID=$(docker run -d team/inner:1)
ssh host "docker pull team/remote:1; docker stop web"
docker pull "$1"
docker pull team/arg:${1:-stable}
ctr -n k8s.io images pull docker.io/team/ctr:1
cat <<EOF | docker build -
FROM team/heredoc:1
EOF
# docker pull team/comment:1
"""


def _found(script: str) -> list[str]:
    return [short(finding) for finding in find(script, line=1)]


def test_a_script_gives_every_image_on_its_line() -> None:
    """Each planted reference is found where it stands, with its variables filled in, and nothing else."""
    assert found(SYNTAX, "ci/deploy.sh", SCRIPT) == [
        "4 =registry.example/team/base:1.2",
        "5 =docker.io/team/one:1",
        "5 =docker.io/team/two:2",
        "11 =registry.example/team/base:1.2",
        "12 =docker.io/team/app:edge",
        "12 ~docker.io/team/app|.*",
        "12 =quay.io/team/tool:3",
        "14 =docker.io/team/gateway:1.2",
        "14 =docker.io/team/ui:1.2",
        "16 =docker.io/team/one:1",
        "16 =docker.io/team/two:2",
        "17 =docker.io/team/built:1",
        "18 =docker.io/team/cache:main (build cache)",
        "19 =docker.io/library/alpine:3.20 (build context)",
        "20 =docker.io/team/service:1",
        "21 =docker.io/team/service:2",
        "22 =docker.io/team/from:1",
        "22 =registry.example/team/to:1",
        "23 =docker.io/team/crane:1",
        "24 =docker.io/team/kube:5",
        "24 =docker.io/library/nginx:latest",
        "25 =docker.io/library/busybox:latest",
        "26 =docker.io/team/kind:1",
        "27 =docker.io/team/k3d:1",
        "27 =docker.io/team/k3d:2",
        "28 =docker.io/team/helm:9",
        "28 =ghcr.io/team/charts/web:1.2.3_4",
        "29 =docker.io/team/inner:1",
        "30 =docker.io/team/remote:1",
        "31 ~.*|.* (an argument of the script)",
        "32 =docker.io/team/arg:stable",
        "32 ~docker.io/team/arg|.*",
        "33 =docker.io/team/ctr:1",
        "35 =docker.io/team/heredoc:1",
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("A=1\ndocker pull a/b:$A", ["2 =docker.io/a/b:1"]),
        ("docker pull a/b:$A\nA=1", ["1 =docker.io/a/b:1", "1 ~docker.io/a/b|.*"]),
        (
            "if x; then A=1; else A=2; fi\ndocker pull a/b:$A",
            ["2 =docker.io/a/b:1", "2 =docker.io/a/b:2", "2 ~docker.io/a/b|.*"],
        ),
        ("A=0\nif x; then A=1; fi\ndocker pull a/b:$A", ["3 =docker.io/a/b:0", "3 =docker.io/a/b:1"]),
        ("A=${A:-1}\ndocker pull a/b:$A", ["2 =docker.io/a/b:1", "2 ~docker.io/a/b|.*"]),
        ("A=$A-x\ndocker pull a/b:$A", ["2 ~docker.io/a/b|.*\\-x"]),
        (": ${A:=1}\ndocker pull a/b:$A", ["2 =docker.io/a/b:1", "2 ~docker.io/a/b|.*"]),
        ("A=$(git rev-parse HEAD)\ndocker pull a/b:sha-$A", ["2 ~docker.io/a/b|sha\\-.*"]),
        ("read -r A\ndocker pull a/b:$A", ["2 ~docker.io/a/b|.*"]),
        ("while read A; do docker pull a/b:$A; done", ["1 ~docker.io/a/b|.*"]),
        ("A=1 docker pull a/b:$A", ["1 =docker.io/a/b:1", "1 ~docker.io/a/b|.*"]),
        ("A=1 && docker pull a/b:$A", ["1 =docker.io/a/b:1"]),
        ("x && A=1; docker pull a/b:$A", ["1 =docker.io/a/b:1", "1 ~docker.io/a/b|.*"]),
        (
            "f() {\n  local A=1\n  docker pull a/b:$A\n}\ndocker pull c/d:$A",
            ["3 =docker.io/a/b:1", "5 =docker.io/c/d:1", "5 ~docker.io/c/d|.*"],
        ),
        (
            'LIST="a/b:1 c/d:2"\nfor i in $LIST; do docker pull $i; done',
            ["1 =docker.io/a/b:1", "1 =docker.io/c/d:2", "2 =docker.io/a/b:1", "2 =docker.io/c/d:2"],
        ),
        ("for i in 1 2; do docker pull a/b:$i; done", ["1 =docker.io/a/b:1", "1 =docker.io/a/b:2"]),
        (
            "case $x in a) A=1;; b) A=2;; esac; docker pull a/b:$A",
            ["1 =docker.io/a/b:1", "1 =docker.io/a/b:2", "1 ~docker.io/a/b|.*"],
        ),
        ("docker pull acme/{api,web}:1", ["1 =docker.io/acme/api:1", "1 =docker.io/acme/web:1"]),
        ("docker run $OPTS a/b:1", ["1 =docker.io/a/b:1"]),
        ('docker run "$@" a/b:1', ["1 =docker.io/a/b:1"]),
        ('docker run --rm "${args[@]}" a/b:1 sh -c "echo x"', ["1 =docker.io/a/b:1"]),
        ("docker run $IMAGE sh", ["1 ~.*|.*"]),
        ("docker --context x run --network=host -itv a:b a/b sh", ["1 =docker.io/a/b:latest"]),
        ("docker run --rm -v /a:/b:ro --entrypoint sh a/b:1 -c 'ls x/y'", ["1 =docker.io/a/b:1"]),
        ("docker tag A/B c/d:1", ["1 !A/B", "1 =docker.io/c/d:1"]),
        ("time nice docker pull a/b", ["1 =docker.io/a/b:latest"]),
        ("retry 3 docker pull a/b", ["1 =docker.io/a/b:latest"]),
        ("echo a/b:1 | xargs -n1 docker pull", ["1 =docker.io/a/b:1"]),
        ("buildah bud -t a/b:1 . ; buildah from c/d", ["1 =docker.io/a/b:1", "1 =docker.io/c/d:latest"]),
        ("oras pull ghcr.io/a/b:1 -o x", ["1 =ghcr.io/a/b:1"]),
        ("gcloud run deploy x --image=eu.gcr.io/p/i:1 --region y", ["1 =eu.gcr.io/p/i:1"]),
        (
            "aws lambda update-function-code --image-uri 1.dkr.ecr.x.amazonaws.com/i:1",
            ["1 =1.dkr.ecr.x.amazonaws.com/i:1"],
        ),
        ("deploy --image a/b", ["1 =docker.io/a/b:latest"]),
        ("docker build --build-arg BASE=a/b:1 .", ["1 =docker.io/a/b:1"]),
        ("docker build --pull -t a/b .", ["1 =docker.io/a/b:latest"]),
        (
            "docker buildx imagetools create -t a/b:1 a/b@sha256:" + "a" * 64,
            ["1 =docker.io/a/b:1", f"1 =docker.io/a/b@sha256:{'a' * 64}"],
        ),
        ("echo 'docker pull a/b:<tag>'", []),
        ("docker pull a/b:<tag>", ["1 ~docker.io/a/b|.*"]),
        ("export API_IMAGE=a/b", ["1 =docker.io/a/b:latest"]),
        ("bash -c \"bash -c 'docker pull a/b:1'\"", ["1 =docker.io/a/b:1"]),
        ("X=`docker run a/b:1`", ["1 =docker.io/a/b:1"]),
        ("diff <(docker run a/b:1) <(docker run c/d:1)", ["1 =docker.io/a/b:1", "1 =docker.io/c/d:1"]),
        ("docker run a/b:1 <<< 'x'", ["1 =docker.io/a/b:1"]),
        ("docker run a/b:1 > out/x:1 2>&1", ["1 =docker.io/a/b:1"]),
        ("docker pull \\\r\n  a/b:1\r\n", ["2 =docker.io/a/b:1"]),
        ("docker manifest inspect a/b > /dev/null 2>&1", ["1 =docker.io/a/b:latest"]),
        ("docker push $(printf 'a/b@sha256:%s ' *)", ["1 ~docker.io/a/b|.*"]),
        ('for i in "$@"; do docker pull "$i"; done', ["1 ~.*|.* (an argument of the script)"]),
        ('IMAGE="a/b:x-${{ github.sha }}"', ["1 ~docker.io/a/b|x\\-.*"]),
        ("docker buildx imagetools create $(jq -r 'map(\"-t \" + .)' x) a/b:1", ["1 =docker.io/a/b:1"]),
        ("it's a docker pull a/b:1", ["1 =docker.io/a/b:1"]),
    ],
)
def test_shell_means_what_it_means(script: str, expected: list[str]) -> None:
    """Assignments hold where they surely ran before; elsewhere a variable may also be something else."""
    assert _found(script) == expected


@pytest.mark.parametrize(
    "script",
    [
        "",
        "docker compose up -d web",
        "docker exec web ls /a:b",
        "docker login ghcr.io -u x",
        "docker stop web; docker rm -f web",
        "docker cp web:/a/b .",
        "docker network create x",
        "apt-get install -y docker podman",
        "git clone git@github.com:acme/api.git",
        "curl https://example.com/a/b:1",
        "scp a/b host:/c/d",
        "cp src/a.py:12 x",
        "# docker pull a/b:1",
        "rsync -av a/b/ user@host:c/d",
        "kubectl apply -f x.yaml",
        "kubectl create configmap x --from-file=a/b",
        "convert --image logo.png",
        "docker build -f a/Dockerfile .",
        "helm repo add a https://b.example/c",
        "docker ps --format '{{.Names}}/{{.Image}}'",
        "docker run --help",
    ],
)
def test_what_names_no_image_is_not_told(script: str) -> None:
    """Containers, paths, addresses, comments and other commands are no references."""
    assert _found(script) == []


def test_known_values_come_from_outside() -> None:
    """What the caller knows is filled in, and what the script sets comes first."""
    script = "docker pull a/b:$TAG\nTAG=2\ndocker pull a/b:$TAG"
    assert _known(script) == ["7 =docker.io/a/b:2", "7 =docker.io/a/b:1", "9 =docker.io/a/b:2"]


def _known(script: str) -> list[str]:
    findings: list[Finding] = list(find(script, line=7, variables=known({"TAG": "1"}), at="step 1"))
    assert {finding.at for finding in findings} == {"step 1"}
    return [short(finding) for finding in findings]


def test_a_script_of_power_shell_continues_with_its_own_mark() -> None:
    """A backtick at the end of a line continues it."""
    assert found(SYNTAX, "x.ps1", "docker run `\n  -p 1:1 `\n  a/b:$env:TAG\n") == ["3 ~docker.io/a/b|.*"]


def test_deep_nesting_ends() -> None:
    """Text that nests without end is read to some depth, quickly, without an exception."""
    for piece in ("$(", '"$(', "`", "${", "((", "<<A\n", "'", "if x; then\n", "A=$A$A\n"):
        survives(SYNTAX, "x.sh", f"docker pull a/b:1\n{piece * 2000}docker pull $A")


@settings(deadline=None)
@given(mangled(SCRIPT))
def test_no_script_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(SYNTAX, "x.sh", text)


@pytest.mark.parametrize(
    "script",
    [
        "minikube image load - < gateway-container.tar",
        "minikube image load gateway-container.tar",
        "kind load docker-image - --name dev",
        "docker build - < Dockerfile",
        "docker run -- --entrypoint",
        "docker pull -- -q",
        "docker run --rm --pull=always",
        "docker save - | gzip",
        "skopeo inspect --raw",
        "deploy --image - --container-image --verbose",
    ],
)
def test_the_standard_input_files_and_options_are_no_images(script: str) -> None:
    """Where an image could stand there is a dash, an archive or an option: nothing is found, and nothing is odd."""
    assert _found(script) == []


def test_a_dash_takes_the_place_of_an_image() -> None:
    """What stands behind the dash is read as what it is: another image of a command that takes many."""
    assert _found("minikube image load - team/app:1") == ["1 =docker.io/team/app:1"]
