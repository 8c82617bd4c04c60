"""CurlTransport against real sockets."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from tagsweep.http.transport import USER_AGENT, CurlTransport
from tagsweep.model.errors import ConfigurationError, ProtocolViolation, Unreachable
from tagsweep.ports import Request
from tests.unit.http.helpers import Reply, Seen, serve


@pytest.fixture
def transport() -> Iterator[CurlTransport]:
    made = CurlTransport(place="registry.example.com")
    yield made
    made.close()


def test_status_headers_and_bytes_come_back_exactly(transport: CurlTransport) -> None:
    """Header names are lower case, repeated headers are joined, bytes are untouched."""
    content = bytes(range(256)) * 10
    reply = Reply(418, content, {"X-One": " spaced "}, repeated=(("Link", "<a>"), ("Link", "<b>")))
    with serve(lambda _: reply) as server:
        response = transport.send(Request(method="GET", url=f"{server.url}/x?y=1", headers={"Accept": "a/b"}))
    assert (response.status, response.body, response.url) == (418, content, f"{server.url}/x?y=1")
    assert response.headers["x-one"] == "spaced"
    assert response.headers["link"] == "<a>, <b>"
    (seen,) = server.seen
    assert (seen.path, seen.headers["accept"], seen.headers["user-agent"]) == ("/x?y=1", "a/b", USER_AGENT)


def test_methods_bodies_and_keep_alive_do_not_disturb_each_other(transport: CurlTransport) -> None:
    """One handle serves all methods in any order; each request is sent as it is and nothing of the one before stays."""
    requests = [
        Request(method="HEAD", url="/head"),
        Request(method="GET", url="/get"),
        Request(method="PUT", url="/put", body=b"\x00exact", headers={"Content-Type": "a/b"}),
        Request(method="DELETE", url="/delete"),
        Request(method="GET", url="/get"),
        Request(method="POST", url="/post", body=b"form"),
        Request(method="PUT", url="/empty", body=b""),
        Request(method="HEAD", url="/head"),
        Request(method="DELETE", url="/delete"),
        Request(method="GET", url="/get"),
    ]
    with serve(lambda seen: Reply(200, seen.method.encode())) as server:
        for request in requests:
            sent = Request(
                method=request.method, url=server.url + request.url, headers=request.headers, body=request.body
            )
            body = transport.send(sent).body
            assert body == (b"" if request.method == "HEAD" else request.method.encode())
    assert [(seen.method, seen.path, seen.body) for seen in server.seen] == [
        (request.method, request.url, request.body or b"") for request in requests
    ]
    assert all("expect" not in seen.headers for seen in server.seen)
    assert server.seen[2].headers["content-type"] == "a/b"


def test_redirects_are_handed_back(transport: CurlTransport) -> None:
    """The transport follows nothing: who follows decides what goes along."""
    with serve(lambda _: Reply(307, headers={"Location": "http://evil.example.com/"})) as server:
        response = transport.send(Request(method="GET", url=f"{server.url}/"))
    assert (response.status, response.headers["location"]) == (307, "http://evil.example.com/")


def test_a_path_is_sent_as_it_is(transport: CurlTransport) -> None:
    """Dots in a path are not collapsed: that would address something else."""
    with serve(lambda _: Reply()) as server:
        transport.send(Request(method="DELETE", url=f"{server.url}/v2/a/manifests/../b"))
    assert server.seen[0].path == "/v2/a/manifests/../b"


def test_a_body_larger_than_allowed_is_refused(transport: CurlTransport) -> None:
    """The bound holds to the byte, and the handle works on afterwards."""
    with serve(lambda _: Reply(200, b"x" * 1000)) as server:
        with pytest.raises(ProtocolViolation, match="larger than 999 bytes"):
            transport.send(Request(method="GET", url=f"{server.url}/?token=abc", max_body=999))
        assert len(transport.send(Request(method="GET", url=server.url, max_body=1000)).body) == 1000


def test_endless_headers_are_refused(transport: CurlTransport) -> None:
    """Headers are bounded as bodies are."""
    many = tuple((f"X-{number}", "y" * 1000) for number in range(280))
    with (
        serve(lambda _: Reply(repeated=many)) as server,
        pytest.raises((ProtocolViolation, Unreachable)),
    ):
        transport.send(Request(method="GET", url=server.url))


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
def test_a_change_is_never_put_on_the_wire_twice(transport: CurlTransport, method: str) -> None:
    """A kept connection that breaks after the request was read: libcurl would send it again, tagsweep does not."""
    body = None if method == "DELETE" else b"x"
    with serve(lambda seen: Reply(drop=seen.method == method)) as server:
        transport.send(Request(method="GET", url=server.url))
        with pytest.raises(Unreachable, match="lost"):
            transport.send(Request(method=method, url=server.url, body=body))
        assert [seen.method for seen in server.seen] == ["GET", method]
        assert transport.send(Request(method="GET", url=server.url)).status == 200


def test_a_cut_body_is_no_answer(transport: CurlTransport) -> None:
    """Fewer bytes than announced are never taken for the whole."""
    with (
        serve(lambda _: Reply(200, b"half", {"Content-Length": "8", "Connection": "close"})) as server,
        pytest.raises(Unreachable, match="lost before the answer was complete"),
    ):
        transport.send(Request(method="GET", url=server.url))


def test_no_connection_names_the_place_and_a_remedy(transport: CurlTransport) -> None:
    """A refused connection and an unknown name are told in one sentence each."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"registry.example.com: no connection to http://127.0.0.1:{port}") as caught:
        transport.send(Request(method="GET", url=f"http://127.0.0.1:{port}/v2/"))
    assert "NO_PROXY" in caught.value.remedy


def test_silence_ends_in_a_time_out() -> None:
    """A server that accepts and says nothing does not hold a thread for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = CurlTransport(place="r", total_timeout=0.2)
        with pytest.raises(Unreachable, match="in time"):
            transport.send(Request(method="GET", url=f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        transport.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
def test_ctrl_c_ends_a_read_at_once_and_a_change_after_its_answer(transport: CurlTransport, method: str) -> None:
    """A silent server does not hold up Ctrl-C; but a change that is under way is not left behind."""
    assert threading.current_thread() is threading.main_thread()
    seen_in_main, answered = threading.Event(), threading.Event()

    def respond(_: Seen) -> Reply:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        # A read is left behind, so this ends at once; for a change nobody comes before the answer.
        seen_in_main.wait(timeout=10 if method in ("GET", "HEAD") else 0.2)
        answered.set()
        return Reply(200)

    body = b"x" if method == "PUT" else None
    with serve(respond) as server:
        with pytest.raises(KeyboardInterrupt):
            transport.send(Request(method=method, url=server.url, body=body))
        assert answered.is_set() is (method in ("DELETE", "PUT"))
        seen_in_main.set()


def test_other_protocols_are_refused(transport: CurlTransport) -> None:
    """A registry cannot make tagsweep read files or speak ftp."""
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/"):
        with pytest.raises(ProtocolViolation):
            transport.send(Request(method="GET", url=url))


def test_many_threads_share_one_transport(transport: CurlTransport) -> None:
    """Answers never get mixed up between threads."""
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(20):
            path = f"/{number}/{turn}"
            if transport.send(Request(method="GET", url=server.url + path)).body != path.encode():
                wrong.append(path)

    with serve(lambda seen: Reply(200, seen.path.encode())) as server:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(server.seen) == 160


def test_after_closing_nothing_is_sent(transport: CurlTransport) -> None:
    """A closed transport refuses in words."""
    transport.close()
    with pytest.raises(Unreachable, match="given back"):
        transport.send(Request(method="GET", url="http://127.0.0.1:1/"))


def test_a_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """http_proxy and NO_PROXY are obeyed, and a loopback host never goes through a proxy."""
    with serve(lambda seen: Reply(200, seen.path.encode())) as proxy, serve(lambda _: Reply(200, b"direct")) as direct:
        monkeypatch.setenv("http_proxy", f"http://bob:hunter22@{proxy.host}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("no_proxy", "other.invalid")
        transport = CurlTransport(place="registry.invalid")
        through = transport.send(Request(method="GET", url="http://registry.invalid/v2/"))
        assert through.body == b"http://registry.invalid/v2/"
        assert transport.send(Request(method="GET", url=direct.url)).body == b"direct"
        with pytest.raises(Unreachable, match="cannot be resolved"):
            transport.send(Request(method="GET", url="http://other.invalid/v2/"))
        assert len(proxy.seen) == 1
        transport.close()


def test_a_proxy_password_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that does not answer is named without the password in its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://bob:hunter22@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    transport = CurlTransport(place="registry.invalid")
    with pytest.raises(Unreachable) as caught:
        transport.send(Request(method="GET", url="http://registry.invalid/v2/"))
    assert "hunter22" not in str(caught.value)
    transport.close()


@pytest.mark.parametrize("option", ["ca", "client_certificate", "client_key"])
def test_a_certificate_file_that_is_missing_is_named(option: str) -> None:
    """The error names the file and the key in the policy."""
    missing = "/no/such/file"
    with pytest.raises(ConfigurationError, match=missing) as caught:
        CurlTransport(
            place="registry.example.com",
            ca=missing if option == "ca" else None,
            client_certificate=missing if option == "client_certificate" else None,
            client_key=missing if option == "client_key" else None,
        )
    assert f"registries: registry.example.com: {option}:" in caught.value.remedy
