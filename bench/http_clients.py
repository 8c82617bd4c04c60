"""How fast different HTTP clients read the same manifests from the same registry, side by side in one run.

    python bench/http_clients.py

Each client fetches the same manifests with 16 threads; rounds alternate, and the medians are shown as ratios to
pycurl, because absolute figures move from machine to machine. The registry is the fake one of tagsweep.testing, in a
process of its own. A client that is not installed is named and left out.
"""

from __future__ import annotations

import http.client
import importlib.util
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from tagsweep.http.transport import CurlTransport
from tagsweep.model.manifest import MANIFEST_TYPES
from tagsweep.ports import Request
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.tensorzero import shaped

REPOSITORY = "tensorzero/gateway"
THREADS = 16
ROUNDS = 5
REQUESTS = 3000
ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
Get = Callable[[str], int]


def serve(pipe: Connection) -> None:
    with FakeRegistry() as registry:
        for repository in shaped(until=datetime(2026, 11, 1, tzinfo=UTC)):
            for built in repository.images():
                registry.push(repository.repository, built.image, *built.tags)
        pipe.send((registry.host, sorted(registry.tags(REPOSITORY))))
        pipe.recv()


def with_pycurl(host: str) -> Get:
    transport = CurlTransport(place=host)
    return lambda path: transport.send(Request(method="GET", url=f"http://{host}{path}", headers=ACCEPT)).status


def with_http_client(host: str) -> Get:
    local = threading.local()

    def get(path: str) -> int:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(host)
        local.connection.request("GET", path, headers=ACCEPT)
        response = local.connection.getresponse()
        response.read()
        return int(response.status)

    return get


def with_urllib3(host: str) -> Get:
    import urllib3  # noqa: PLC0415 (not installed everywhere)

    pool = urllib3.HTTPConnectionPool(host, maxsize=THREADS)
    return lambda path: int(pool.request("GET", path, headers=ACCEPT).status)


def measure(get: Get, paths: list[str]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(get, paths)) == {200}
    return len(paths) / (time.perf_counter() - started)


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    host, tags = ours.recv()
    paths = [f"/v2/{REPOSITORY}/manifests/{tags[number % len(tags)]}" for number in range(REQUESTS)]
    clients = {"pycurl": with_pycurl(host), "http.client": with_http_client(host)}
    if importlib.util.find_spec("urllib3") is not None:
        clients["urllib3"] = with_urllib3(host)
    else:
        print("urllib3 is not installed here and was left out")
    rates: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, get in clients.items():
            rates[name].append(measure(get, paths))
    base = statistics.median(rates["pycurl"])
    for name, found in rates.items():
        print(
            f"{name:12} {statistics.median(found) / base:5.2f} of pycurl's throughput ({min(found) / base:.2f} to "
            f"{max(found) / base:.2f} over {ROUNDS} rounds)"
        )
    ours.send(None)
    server.join()


if __name__ == "__main__":
    main()
