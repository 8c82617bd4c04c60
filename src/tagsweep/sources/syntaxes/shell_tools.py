"""Which words of a container tool's command line name images: docker, podman, kubectl, skopeo, crane and so on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.shell_words import Word


@dataclass(frozen=True, slots=True)
class Call:
    """How a subcommand takes images: positionals from ``first`` on (``count`` of them, -1 all) and ``images`` options.

    ``valued`` are the other options that take a word of their own; all of them without their dashes. ``ends`` where
    all behind the image is the container's own command, ``paired`` where images stand behind ``container=``.
    """

    first: int = 0
    count: int = 0
    images: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    cache: frozenset[str] = frozenset({"cache-from", "cache-to"})
    ends: bool = False
    paired: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GLOBAL: Final = _names(
    "H host context config log-level tlscacert tlscert tlskey n namespace a address root url connection"
)
_RUN_VALUED: Final = _names(
    "add-host annotation attach a blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile "
    "cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares c cpus cpuset-cpus cpuset-mems "
    "detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns "
    "dns-opt dns-option dns-search domainname entrypoint env e env-file expose gpus group-add health-cmd "
    "health-interval health-retries health-start-period health-start-interval health-timeout hostname h ip ip6 ipc "
    "isolation kernel-memory label l label-file link link-local-ip log-driver log-opt mac-address memory m "
    "memory-reservation memory-swap memory-swappiness mount name network network-alias net net-alias oom-score-adj "
    "pid pids-limit platform publish p pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs ulimit user u userns uts volume v volume-driver volumes-from workdir w arch authfile pod "
    "pod-id-file secret tz umask variant os uidmap gidmap subuidname subgidname passwd-entry group-entry sdnotify "
    "cgroups cgroup-conf creds cert-dir decryption-key hooks-dir image-volume init-path log-level preserve-fds "
    "personality rdt-class retry retry-delay timeout unsetenv requires chrootdirs hostuser seccomp-policy"
)
_SERVICE_VALUED: Final = _RUN_VALUED | _names(
    "replicas mode constraint limit-cpu limit-memory limit-pids reserve-cpu reserve-memory update-delay "
    "update-failure-action update-max-failure-ratio update-monitor update-order update-parallelism restart-condition "
    "restart-delay restart-max-attempts restart-window rollback-delay rollback-failure-action rollback-monitor "
    "rollback-max-failure-ratio rollback-order rollback-parallelism config host placement-pref stop-grace-period "
    "endpoint-mode credential-spec group generic-resource container-label max-concurrent replicas-max-per-node"
)
_BUILD_VALUED: Final = _names(
    "add-host allow annotation attest builder call cgroup-parent file f iidfile label metadata-file network "
    "no-cache-filter output o platform progress provenance sbom secret shm-size ssh target ulimit memory m isolation "
    "cpu-period cpu-quota cpu-shares c cpuset-cpus cpuset-mems security-opt authfile format layers-label volume v arch "
    "os variant jobs logfile runtime build-arg build-context"
)
_PULL_VALUED: Final = _names(
    "platform authfile creds cert-dir arch os variant tls-verify retry policy digestfile compression-format username u "
    "password p config registry-config snapshotter user format f output o src-creds dest-creds src dest key "
    "certificate identity-token timeout type predicate annotations annotation concurrency artifact-type severity "
    "exit-code"
)
_RUN: Final = Call(count=1, valued=_RUN_VALUED, ends=True)
_ALL: Final = Call(count=-1, valued=_PULL_VALUED)
_BUILD: Final = Call(images=_names("t tag from cache-image run-image"), valued=_BUILD_VALUED)
_IMAGETOOLS: Final = Call(count=-1, images=_names("t tag"), valued=_names("f file builder annotation progress format"))
_ENGINE: Final[dict[str, Call]] = {
    "run": _RUN,
    "create": _RUN,
    "pull": _ALL,
    "push": _ALL,
    "tag": Call(count=2),
    "save": Call(count=-1, valued=_names("o output platform format")),
    "history": _ALL,
    "sbom": _ALL,
    "commit": Call(first=1, count=1, valued=_names("a author c change m message format f")),
    "import": Call(first=1, count=1, valued=_names("c change m message platform")),
    "build": _BUILD,
    "bud": _BUILD,
    "from": Call(count=1, valued=_RUN_VALUED),
    "container run": _RUN,
    "container create": _RUN,
    "image pull": _ALL,
    "image push": _ALL,
    "image tag": Call(count=2),
    "image save": Call(count=-1, valued=_names("o output platform format")),
    "image build": _BUILD,
    "image inspect": _ALL,
    "image history": _ALL,
    "builder build": _BUILD,
    "buildx build": _BUILD,
    "buildx b": _BUILD,
    "buildx imagetools create": _IMAGETOOLS,
    "buildx imagetools inspect": Call(count=1, valued=_names("format builder")),
    "manifest create": Call(count=-1),
    "manifest add": Call(count=-1, valued=_names("annotation arch os variant features")),
    "manifest annotate": Call(count=2, valued=_names("arch os os-features os-version variant")),
    "manifest inspect": Call(count=-1),
    "manifest push": Call(count=-1),
    "service create": Call(count=1, valued=_SERVICE_VALUED, ends=True),
    "service update": Call(images=_names("image"), valued=_SERVICE_VALUED),
    "scout cves": _ALL,
    "scout quickview": _ALL,
    "trust sign": _ALL,
}
_CRANE: Final[dict[str, Call]] = {
    **dict.fromkeys(("digest", "manifest", "config", "validate"), Call(count=1, valued=_PULL_VALUED)),
    **dict.fromkeys(("copy", "cp"), Call(count=2, valued=_PULL_VALUED)),
    **dict.fromkeys(("pull", "export", "tag"), Call(count=1, valued=_PULL_VALUED)),
    "push": Call(first=1, count=1, valued=_PULL_VALUED),
    "append": Call(images=_names("b base t new_tag"), valued=_names("f new_layer o output platform")),
    "mutate": Call(
        count=1, images=_names("t tag"), valued=_names("a annotation l label e env entrypoint cmd u user w")
    ),
    "rebase": Call(count=1, images=_names("old_base new_base t tag")),
}
_KUBE: Final[dict[str, Call]] = {
    **{verb: Call(images=_names("image"), valued=_names("n namespace")) for verb in ("run", "create", "debug")},
    "set image": Call(count=-1, valued=_names("n namespace f filename l selector"), paired=True),
}
_CTR: Final[dict[str, Call]] = {
    **{
        f"{noun} {verb}": Call(count=2 if verb == "tag" else -1, valued=_PULL_VALUED)
        for noun in ("images", "image", "i")
        for verb in ("pull", "push", "tag")
    },
    "run": Call(count=1, valued=_RUN_VALUED),
}
_LOADS: Final = Call(count=-1, valued=_names("c cluster name nodes p profile m mode"))
_SIGNED: Final = Call(count=-1, valued=_PULL_VALUED | _names("certificate-identity certificate-oidc-issuer rekor-url"))
_DEPLOY_IMAGE: Final = Call(images=_names("image image-uri container-image docker-image"))
_SCANNER: Final[dict[str, Call]] = {"": Call(count=1, valued=_names("o output c config fail-on scope file platform"))}
TOOLS: Final[dict[str, dict[str, Call]]] = {
    **dict.fromkeys(("docker", "podman", "nerdctl", "finch", "buildah", "docker.exe", "img", "kaniko"), _ENGINE),
    **dict.fromkeys(("crane", "gcrane"), _CRANE),
    **dict.fromkeys(("kubectl", "oc", "k", "microk8s.kubectl"), _KUBE),
    "ctr": _CTR,
    "crictl": {"pull": _ALL},
    "skopeo": {
        "copy": Call(count=2, valued=_PULL_VALUED),
        "inspect": Call(count=1, valued=_PULL_VALUED),
        "sync": Call(count=1, valued=_PULL_VALUED),
    },
    "oras": {
        "pull": Call(count=1, valued=_PULL_VALUED),
        "push": Call(count=1, valued=_PULL_VALUED),
        "attach": Call(count=1, valued=_PULL_VALUED),
        "discover": Call(count=1, valued=_PULL_VALUED),
        "copy": Call(count=2, valued=_PULL_VALUED),
        "cp": Call(count=2, valued=_PULL_VALUED),
    },
    "regctl": {
        "image copy": Call(count=2),
        **{f"image {verb}": Call(count=1) for verb in ("digest", "manifest", "inspect", "export", "ratelimit")},
        "manifest get": Call(count=1),
    },
    "k3d": {"image import": _LOADS, "images import": _LOADS},
    "kind": {"load docker-image": _LOADS},
    "minikube": {"image load": _LOADS, "image pull": _LOADS, "cache add": _LOADS},
    "trivy": {
        "image": Call(count=1, valued=_PULL_VALUED | _names("ignorefile scanners vuln-type cache-dir template t"))
    },
    **dict.fromkeys(("grype", "syft", "dive"), _SCANNER),
    "cosign": {
        **dict.fromkeys(("sign", "verify", "attest", "verify-attestation", "triangulate", "download", "tree"), _SIGNED),
        "copy": Call(count=2, valued=_PULL_VALUED),
    },
    "pack": {
        "build": Call(
            count=1, images=_names("builder B run-image cache-image previous-image t tag"), valued=_BUILD_VALUED
        )
    },
    "gcloud": {"": _DEPLOY_IMAGE},
    "aws": {"": _DEPLOY_IMAGE},
    "az": {"": _DEPLOY_IMAGE},
    "flyctl": {"": Call(images=_names("image i"))},
    "fly": {"": Call(images=_names("image i"))},
}
"""Tool, then subcommand (the longest that fits), to how it takes images. An empty subcommand is any."""

_SUBCOMMANDS_AT_MOST: Final = 3
_LOOKED_AHEAD: Final = 50
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.zst")
_OPTION_INSIDE: Final = re.compile(r"[\"' ](?:-t|--tag)[ =]")
_VARIABLE: Final = re.compile(r"\$(?:[@*]|[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_@*][A-Za-z0-9_]*(?:\[[@*]\])?\})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Argument:
    """A word that names an image (``text``, without the option's name), and what for."""

    text: str
    word: Word
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a command line names, and which of its words this explains: options, values and the images themselves."""

    images: tuple[Argument, ...]
    explained: frozenset[int]


def tool_name(word: Word) -> str:
    """Return the program's name without its directory."""
    return word.text.rpartition("/")[2]


def read_call(words: Sequence[Word], start: int) -> Reading | None:
    """Return the images of the call of a known tool at ``words[start]``, or None where the call names none."""
    table = TOOLS[tool_name(words[start])]
    at = start + 1
    while at < len(words) and words[at].text.startswith("-") and len(words[at].text) > 1:
        at += 2 if "=" not in words[at].text and words[at].text.lstrip("-") in _GLOBAL else 1
    for length in range(_SUBCOMMANDS_AT_MOST, -1, -1):
        name = " ".join(word.text for word in words[at : at + length])
        call = table.get(name)
        if call is not None:
            return _Line(words, at + length, call).read()
    return None


class _Line:
    """One command line behind its subcommand."""

    def __init__(self, words: Sequence[Word], at: int, call: Call) -> None:
        self._words = words
        self._at = at
        self._call = call
        self._explained: set[int] = set(range(at))
        self._positional = 0

    def read(self) -> Reading:
        return Reading(tuple(self._arguments()), frozenset(self._explained))

    def _arguments(self) -> Iterator[Argument]:
        options = True
        while self._at < len(self._words):
            word = self._words[self._at]
            if options and word.text == "--":
                options = False
            elif options and word.text.startswith("-") and len(word.text) > 1:
                yield from self._option(word)
            elif self._wanted():
                if word.text.startswith("-") or word.text.endswith(_ARCHIVES):
                    self._positional += 1  # the standard input, or a file with images in it
                elif self._call.paired:
                    yield from (Argument(value, word) for _, equals, value in [word.text.partition("=")] if equals)
                elif not self._is_options(word):
                    self._positional += 1
                    yield Argument(word.text, word)
                self._explained.add(self._at)
            elif self._call.ends:
                return
            else:
                self._positional += 1
            self._at += 1

    def _wanted(self) -> bool:
        call = self._call
        if self._positional < call.first:
            return False
        return call.count < 0 or self._positional < call.first + call.count

    def _is_options(self, word: Word) -> bool:
        """Tell whether a variable stands for options rather than for an image: by its name, or by what follows."""
        if word.text.startswith("$(") and not word.quoted and _OPTION_INSIDE.search(word.text):
            return True
        if not self._call.ends or _VARIABLE.fullmatch(word.text) is None:
            return False
        name = word.text.upper()
        if any(part in name for part in ("IMAGE", "IMG", "TAG", "REPO")):
            return False
        if any(part in name for part in ("OPT", "ARG", "FLAG", "PARAM")):
            return True
        return any(looks_like_image(later.text) for later in self._words[self._at + 1 : self._at + _LOOKED_AHEAD])

    def _option(self, word: Word) -> Iterator[Argument]:
        self._explained.add(self._at)
        name, equals, value = word.text.lstrip("-").partition("=")
        if not word.text.startswith("--") and not equals and len(name) > 1 and name not in self._known():
            name, value, equals = self._cluster(name)
        if not equals and name in self._known() and self._at + 1 < len(self._words):
            self._at += 1
            word = self._words[self._at]
            value = word.text
            self._explained.add(self._at)
        yield from self._value(name, value, word)

    def _value(self, name: str, value: str, word: Word) -> Iterator[Argument]:
        call = self._call
        if name in call.images and value:
            yield Argument(value, word)
        elif name in call.cache and value:
            yield from (Argument(text, word, "build cache") for text in cache_reference(value))
        elif name == "build-context" and "docker-image://" in value:
            yield Argument(value.partition("=")[2], word, "build context")
        elif name == "build-arg":
            self._explained.discard(self._at)  # its value may have the shape of an image: it is read as any text
        elif name in {"output", "o"} and "name=" in value:
            yield from (Argument(text, word) for text in part_of(value, "name"))

    def _known(self) -> frozenset[str]:
        return self._call.images | self._call.valued | self._call.cache | frozenset({"build-context", "build-arg"})

    def _cluster(self, letters: str) -> tuple[str, str, str]:
        """Return name, value and whether the value is attached, of short options that are written together."""
        known = self._known()
        for index, letter in enumerate(letters):
            if letter in known:
                rest = letters[index + 1 :]
                return letter, rest, "=" if rest else ""
        return letters, "", "="


def cache_reference(text: str) -> tuple[str, ...]:
    """Return the image in ``type=registry,ref=…`` or in a plain reference; nothing for other kinds of cache."""
    if "type=" not in text:
        return tuple(part for part in text.split(",") if part and "=" not in part)
    return part_of(text, "ref") if "type=registry" in text.replace(" ", "") else ()


def part_of(text: str, key: str) -> tuple[str, ...]:
    """Return the values of ``key`` in ``a=b,key=value``; a quoted list of values counts each."""
    return tuple(
        part.partition("=")[2].strip().strip("\"'")
        for part in text.split(",")
        if part.strip().strip("\"'").startswith(f"{key}=")
    )
