"""The docker source: containers, their images' digests, stored images, plugins and Swarm services."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.docker.source import DockerSource
from tagsweep.testing.source_suite import NOW, SECRET, SourceSuite, source_context, source_settings
from tests.unit.sources.engine import MANAGER, WORKER, Engine, container, image, image_id, service, task_template
from tests.unit.sources.json_server import JsonServer, Reply

DIGEST = "sha256:" + "d" * 64


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield a directory whose path is short enough for a socket, and that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="ts-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def engine(directory: Path) -> Iterator[Engine]:
    """Yield an engine that answers on its socket."""
    engine = Engine(directory / "e.sock")
    with engine.serve():
        yield engine


def _configured(engine: Engine, **options: object) -> DockerSource:
    settings = source_settings("docker", **{"host": f"unix://{engine.socket}", **options})
    return DockerSource.configure(settings, context=source_context())


def _ask(engine: Engine, **options: object) -> UsageReport:
    return _configured(engine, **options).collect(NOW)


def _told(report: UsageReport) -> list[tuple[str, str, str]]:
    return [(str(usage.reference), usage.where, usage.note) for usage in report.usages]


class EngineEnvironment:
    """An engine for the suite: containers, services with what they ran before, tasks and image volumes in turn."""

    resolves = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._engine.swarm = MANAGER

    def plant(self, texts: Sequence[str]) -> None:
        """Use each image in another way."""
        for number, text in enumerate(texts):
            match number % 4:
                case 0:
                    self._engine.containers.append(container(f"c{number}", text, image_id(number), "exited"))
                case 1:
                    self._engine.images.append(image(image_id(number), tags=["<none>:<none>"]))
                    mounted = container(f"c{number}", "", image_id(number), Mounts=[{"Type": "image"}])
                    self._engine.containers.append(mounted)
                    self._engine.pages[f"/containers/{mounted['Id']}/json"] = {
                        "Config": {"Image": "", "Env": [f"TOKEN={SECRET}"]},
                        "HostConfig": {"Mounts": [{"Type": "image", "Source": text, "Target": "/data"}]},
                    }
                case 2:
                    self._engine.services.append(service(f"s{number}", text, before=text))
                case _:
                    self._engine.tasks.append({"ServiceID": "x", "Slot": 1, "Spec": task_template(text)})

    def break_it(self) -> None:
        """Let the containers fail with an answer that has a password in it."""
        body = f'{{"message": "daemon failed: password={SECRET}"}}'.encode()
        self._engine.failing["/containers/json"] = Reply(status=500, raw=body)

    def source(self) -> DockerSource:
        """Return the source."""
        return _configured(self._engine)


class TestSuite(SourceSuite):
    """The suite against an engine on a unix socket."""

    @pytest.fixture
    def environment(self, engine: Engine) -> EngineEnvironment:
        """Return the environment."""
        return EngineEnvironment(engine)


def test_a_container_is_named_with_its_state_and_every_digest_of_its_image(engine: Engine) -> None:
    """Running, stopped and created containers count, by the name they were made from and by their image's digests."""
    digests = [f"acme/api@{DIGEST}", f"ghcr.io/acme/api@{DIGEST}", "<none>@<none>"]
    engine.images.append(image(image_id(1), tags=["acme/api:1"], digests=digests))
    engine.containers += [
        container("web", "acme/api:1", image_id(1)),
        container("old", "acme/api:0", image_id(2), "exited"),
        container("next", "redis", image_id(3), "created"),
    ]
    report = _ask(engine)
    assert _told(report) == [
        ("docker.io/acme/api:1", "host-1 container web", "running"),
        (f"docker.io/acme/api@{DIGEST}", "host-1 container web", "running"),
        (f"ghcr.io/acme/api@{DIGEST}", "host-1 container web", "running"),
        ("docker.io/acme/api:0", "host-1 container old", "stopped"),
        ("docker.io/library/redis:latest", "host-1 container next", "created"),
    ]
    assert report.coverage.complete
    assert (report.invalid, report.unresolved, report.examined) == ((), (), 3)


@pytest.mark.parametrize("shown", [image_id(1), image_id(1).removeprefix("sha256:"), image_id(1)[7:19]])
def test_a_container_shown_by_image_id_is_named_by_its_own_page(engine: Engine, shown: str) -> None:
    """When its tag has moved on, the engine lists a container by id; the name it was made from is still in use."""
    engine.images.append(image(image_id(1), digests=[f"acme/api@{DIGEST}"]))
    engine.containers.append(container("web", shown, image_id(1)))
    engine.pages[f"/containers/{engine.containers[0]['Id']}/json"] = {"Config": {"Image": "acme/api:1"}}
    assert _told(_ask(engine)) == [
        ("docker.io/acme/api:1", "host-1 container web", "running"),
        (f"docker.io/acme/api@{DIGEST}", "host-1 container web", "running"),
    ]


def test_a_container_made_from_an_id_counts_for_all_names_of_the_image(engine: Engine) -> None:
    """Where nobody ever named a tag, every name and digest under which the engine has the image is in use."""
    engine.images.append(image(image_id(1), tags=["acme/api:1", "acme/api:2"], digests=[f"acme/api@{DIGEST}"]))
    engine.containers.append(container("web", image_id(1), image_id(1)))
    engine.pages[f"/containers/{engine.containers[0]['Id']}/json"] = {"Config": {"Image": image_id(1)}}
    assert [reference for reference, _, _ in _told(_ask(engine))] == [
        f"docker.io/acme/api@{DIGEST}",
        "docker.io/acme/api:1",
        "docker.io/acme/api:2",
    ]


def test_a_container_of_which_only_the_id_is_told_counts_as_one_made_from_it(engine: Engine) -> None:
    """Without the text that it was made from, its image by the id counts: with its names, or as open if it is gone."""
    engine.images.append(image(image_id(1), tags=["acme/api:1"]))
    engine.containers += [
        container("web", "", image_id(1)),
        container("old", "", image_id(2)),
        container("root", "", ""),
    ]
    report = _ask(engine)
    assert [(reference, where) for reference, where, _ in _told(report)] == [
        ("docker.io/acme/api:1", "host-1 container web")
    ]
    assert [(entry.text, entry.where) for entry in report.unresolved] == [(image_id(2), "host-1 container old")]


def test_podman_knows_the_digest_of_a_tag_that_moved_on(engine: Engine) -> None:
    """Podman drops RepoDigests with the name; the manifest's digest then stands for the name of the container."""
    moved = {**image(image_id(1)), "Digest": DIGEST, "History": ["ghcr.io/acme/old:1", "not A name"]}
    kept = {**image(image_id(2), digests=[f"ghcr.io/acme/web@{DIGEST}"]), "Digest": "sha256:" + "e" * 64}
    engine.images += [moved, kept]
    engine.containers += [
        container("api", "ghcr.io/acme/api:1", image_id(1)),
        container("web", "ghcr.io/acme/web:1", image_id(2)),
    ]
    assert [reference for reference, _, _ in _told(_ask(engine))] == [
        "ghcr.io/acme/api:1",
        f"ghcr.io/acme/api@{DIGEST}",
        f"ghcr.io/acme/old@{DIGEST}",
        "ghcr.io/acme/web:1",
        f"ghcr.io/acme/web@{DIGEST}",
    ]


def test_an_image_that_no_registry_named_is_told_and_protects_nothing(engine: Engine) -> None:
    """A container of an image built here without a name is shown as such, with its place."""
    engine.images.append(image(image_id(1), tags=["<none>:<none>"], digests=["<none>@<none>"]))
    engine.containers.append(container("web", image_id(1), image_id(1)))
    report = _ask(engine)
    assert report.usages == ()
    assert len(report.invalid) == 1
    assert report.invalid[0].startswith("host-1 container web  ")


def test_an_image_that_the_engine_has_forgotten_could_be_any(engine: Engine) -> None:
    """A container known only by the id of an image that is gone leaves every tag undecided, until the policy says."""
    engine.containers.append(container("web", image_id(1), image_id(1), "exited"))
    (entry,) = _ask(engine).unresolved
    assert (entry.repository, entry.repository_pattern, entry.tag_pattern) == (None, ".*", ".*")
    assert (entry.path, entry.where) == ("container/web", "host-1 container web")


def test_a_container_without_an_image_uses_none(engine: Engine) -> None:
    """A container whose root is a directory, as podman can have them, is no gap."""
    engine.containers.append(container("pod-infra", "", ""))
    report = _ask(engine)
    assert (report.usages, report.unresolved, report.invalid, report.coverage.gaps) == ((), (), (), ())


def test_stored_images_count_where_the_policy_says_so(engine: Engine) -> None:
    """An image that is only stored is in use with ``images: all``, and not by default."""
    engine.images += [image(image_id(1), tags=["acme/api:1"]), image(image_id(2), digests=[f"acme/db@{DIGEST}"])]
    assert _told(_ask(engine)) == []
    assert _told(_ask(engine, images="all")) == [
        ("docker.io/acme/api:1", "host-1 image acme/api:1", "stored by the engine"),
        (f"docker.io/acme/db@{DIGEST}", f"host-1 image acme/db@{DIGEST}", "stored by the engine"),
    ]


def test_a_swarm_service_counts_with_what_it_can_be_rolled_back_to(engine: Engine) -> None:
    """Services, their previous spec, plugins of the Swarm and tasks are in use; a service at zero says so."""
    engine.swarm = MANAGER
    engine.services += [
        service("web", f"acme/api:2@{DIGEST}", before="acme/api:1"),
        service("batch", "acme/job:5", replicas=0),
        {"ID": "p", "Spec": {"Name": "vol", "TaskTemplate": {"PluginSpec": {"Remote": "acme/plugin:3"}}}},
        {"ID": "a", "Spec": {"Name": "net", "TaskTemplate": {"NetworkAttachmentSpec": {"ContainerID": "c"}}}},
    ]
    engine.tasks.append(
        {
            "ServiceID": "id-web",
            "Slot": 2,
            "NodeID": "node5",
            "Spec": task_template("acme/api:0"),
            "Status": {"State": "shutdown"},
        }
    )
    report = _ask(engine)
    assert _told(report) == [
        (f"docker.io/acme/api:2@{DIGEST}", "host-1 service web", ""),
        ("docker.io/acme/api:1", "host-1 service web", "rollback target"),
        ("docker.io/acme/job:5", "host-1 service batch", "0 replicas"),
        ("docker.io/acme/plugin:3", "host-1 service vol, plugin", ""),
        ("docker.io/acme/api:0", "host-1 service web, task 2 on node node5", "shutdown"),
    ]
    assert report.coverage.complete
    assert SECRET not in repr(report)


def test_a_service_that_does_not_say_what_it_runs_is_a_gap(engine: Engine) -> None:
    """A service in a form that nobody documented makes the answer partial."""
    engine.swarm = MANAGER
    engine.services.append({"ID": "x", "Spec": {"Name": "odd", "TaskTemplate": {"FutureSpec": {}}}})
    assert "odd" in _ask(engine).coverage.gaps[0]


@pytest.mark.parametrize("state", [WORKER, {"LocalNodeState": "locked"}, {"LocalNodeState": "error"}])
def test_a_node_that_cannot_tell_of_services_is_a_gap(engine: Engine, state: dict[str, Any]) -> None:
    """A worker knows its own containers only; that is told with the remedy, unless the policy says it is meant."""
    engine.swarm = state
    engine.containers.append(container("web", "acme/api:1", image_id(1)))
    report = _ask(engine)
    assert len(report.usages) == 1
    assert len(report.coverage.gaps) == 1
    assert "manager" in report.coverage.gaps[0]
    assert _ask(engine, swarm=False).coverage.complete


def test_plugins_of_the_engine_count(engine: Engine) -> None:
    """A managed plugin was installed from an image, and says which."""
    engine.plugins.append({"Name": "sshfs:latest", "Enabled": False, "PluginReference": "docker.io/vieux/sshfs:1"})
    assert _told(_ask(engine)) == [("docker.io/vieux/sshfs:1", "host-1 plugin sshfs:latest", "disabled")]


@pytest.mark.parametrize("path", ["/info", "/containers/json", "/images/json", "/plugins", "/services", "/tasks"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, document={"message": "boom"}),
        Reply(status=403, document={"message": "authorization denied by plugin"}),
        Reply(raw=b""),
        Reply(raw=b"<html>"),
        Reply(document={"not": "a list"}),
        Reply(document=["a"]),
        Reply(status=301, headers={"Location": "http://elsewhere.example/"}),
    ],
    ids=["500", "403", "empty", "page", "object", "texts", "redirect"],
)
def test_each_part_that_cannot_be_read_is_a_gap(engine: Engine, path: str, reply: Reply) -> None:
    """A failing list is never an empty one, and what else was read stays."""
    engine.swarm = MANAGER
    engine.containers.append(container("web", "acme/api:1", image_id(1)))
    engine.services.append(service("batch", "acme/job:1"))
    engine.failing[path] = reply
    report = _ask(engine)
    assert report.coverage.gaps
    assert report.usages


def test_something_else_at_the_address_is_no_empty_engine(engine: Engine) -> None:
    """A server that answers and is no engine makes the coverage partial."""
    engine.failing["/version"] = Reply(document={"hello": "world"})
    assert _ask(engine).coverage.gaps == ("docker/test: what answers there is neither Docker nor Podman",)


def test_an_absent_socket_is_a_gap_with_the_remedy(directory: Path) -> None:
    """Where no engine runs the answer says so, and what starts one."""
    (gap,) = _ask(Engine(directory / "absent.sock")).coverage.gaps
    assert "there is no socket" in gap
    assert "podman.socket" in gap
    (directory / "file").write_text("", encoding="utf-8")
    (gap,) = _ask(Engine(directory / "file")).coverage.gaps
    assert "nothing answers" in gap
    with pytest.raises(ConfigurationError, match="too long"):
        _ask(Engine(directory / ("x" * 200)))


def test_a_socket_that_this_user_may_not_use_is_a_gap_with_the_remedy(engine: Engine) -> None:
    """Missing rights are told as such, never as an engine without containers."""
    engine.socket.chmod(0o600 if os.geteuid() == 0 else 0)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        report = _ask(engine)
    finally:
        os.seteuid(was)
    (gap,) = report.coverage.gaps
    assert "may not use the socket" in gap
    assert "group" in gap


def test_docker_host_names_the_engine_where_the_policy_does_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DOCKER_HOST is read as the Docker CLI reads it, and the policy's own host wins over it."""
    engine.containers.append(container("web", "acme/api:1", image_id(1)))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    source = DockerSource.configure(source_settings("docker"), context=source_context())
    assert len(source.collect(NOW).usages) == 1
    named = DockerSource.configure(source_settings("docker", host="unix:///x.sock"), context=source_context())
    assert named.endpoint.unix_socket == "/x.sock"
    monkeypatch.delenv("DOCKER_HOST")
    default = DockerSource.configure(source_settings("docker"), context=source_context())
    assert default.endpoint.unix_socket == "/var/run/docker.sock"


def test_an_engine_on_a_port_of_this_machine_is_asked_without_tls(engine: Engine) -> None:
    """tcp:// works, in plain http only to this machine unless the policy says so in words."""
    engine.containers.append(container("web", "acme/api:1", image_id(1)))
    with engine.serve(unix=None) as server:
        assert len(_ask(engine, host=f"tcp://{server.host}").usages) == 1
    assert _configured(engine, host="tcp://10.0.0.1", plain_http=True).endpoint.url == "http://10.0.0.1:2375"
    assert _configured(engine, host="tcp://[::1]:9/x/").endpoint.url == "http://[::1]:9/x"
    assert _configured(engine, host="tcp://10.0.0.1", ca="ca.pem").endpoint.url == "https://10.0.0.1:2376"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "ssh://root@host"}, "ssh address"),
        ({"host": "tcp://10.0.0.1:2375"}, "another machine"),
        ({"host": f"tcp://user:{SECRET}@10.0.0.1:2375"}, "no address"),
        ({"host": "tcp://"}, "no address"),
        ({"host": "tcp://a:99999"}, "no address"),
        ({"host": "unix://relative.sock"}, "no address"),
        ({"host": "npipe:////./pipe/docker_engine"}, "no address"),
        ({"host": "docker.sock"}, "no address"),
        ({"host": "tcp://a", "cert": "c.pem"}, "belong together"),
        ({"images": "some"}, "images"),
        ({"swarm": "no"}, "swarm"),
        ({"hots": "x"}, "unknown option"),
    ],
)
def test_wrong_options_are_told_with_the_remedy(options: dict[str, object], said: str) -> None:
    """An address that cannot be used or an unknown option is a configuration error, without the address in it."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        DockerSource.configure(source_settings("docker", **options), context=source_context())
    assert caught.value.remedy
    assert SECRET not in f"{caught.value} {caught.value.remedy}"


def test_tls_files_are_those_of_the_policy_or_of_the_docker_cli(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH are obeyed for DOCKER_HOST; missing files are told before any request."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(directory))
    source = DockerSource.configure(source_settings("docker"), context=source_context())
    assert source.endpoint.url == "https://127.0.0.1:1"
    assert source.endpoint.ca == str(directory / "ca.pem")
    with pytest.raises(ConfigurationError, match=r"ca\.pem|cert\.pem") as caught:
        source.collect(NOW)
    assert caught.value.remedy.startswith("sources: docker/test:")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates, and is not installed here")
def test_an_engine_with_tls_answers_only_to_its_client_certificate(engine: Engine, directory: Path) -> None:
    """With ca, cert and key the engine is asked over mutual TLS; without the client's certificate it is a gap."""
    import ssl  # noqa: PLC0415 - only this test needs it

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    (directory / "san").write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", "csr", "-subj", f"/CN={name}")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san")
        openssl("x509", "-req", "-in", "csr", "-out", f"{name}.pem", *signing)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    context.load_verify_locations(directory / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    engine.containers.append(container("web", "acme/api:1", image_id(1)))
    with engine.serve(tls=context) as server:
        host, ca = f"tcp://{server.host}", str(directory / "ca.pem")
        files = {"cert": str(directory / "client.pem"), "key": str(directory / "client.key")}
        assert len(_ask(engine, host=host, ca=ca, **files).usages) == 1
        assert not _ask(engine, host=host, ca=ca).coverage.complete
        assert not _ask(engine, host=host, ca=str(directory / "client.pem"), **files).coverage.complete


def test_the_answer_is_read_with_the_version_that_the_engine_names(engine: Engine) -> None:
    """Every request but the first carries the version of the API, so that a newer engine answers in known shapes."""
    engine.socket.unlink()
    with JsonServer(engine.answer, unix=engine.socket) as server:
        _ask(engine)
    assert [asked.path for asked in server.asked] == [
        "/version",
        "/v1.47/info",
        "/v1.47/images/json",
        "/v1.47/containers/json",
        "/v1.47/plugins",
    ]
