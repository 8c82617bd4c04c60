"""moto's server as AWS: a process of its own on a free port of this machine, with an empty account for each test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).parent / "moto_server"
REMEDY = "make setup (requirements/dev.txt has moto)"
REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00", "AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1"}
_ANYBODY = "inf"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moto:
    """A running server. Clients are botocore's, with the credentials of the environment."""

    url: str
    clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a client for filling the account."""
        key = (service, region)
        if key not in self.clients:  # making one takes longer than using it
            self.clients[key] = (
                import_module("botocore.session")
                .Session()
                .create_client(
                    service,
                    region_name=region,
                    endpoint_url=self.url,
                    aws_access_key_id="AKIAFILLSFILLSFILLS0",
                    aws_secret_access_key="of whoever fills the account",
                )
            )
        return self.clients[key]

    def reset(self) -> None:
        """Empty the account and let everybody in."""
        self._post("reset", b"")
        self._post("reset-auth", _ANYBODY.encode())

    def enforce_rights(self) -> None:
        """Check the credentials and rights of every request from now on."""
        self._post("reset-auth", b"0")

    def user(self, *actions: str) -> dict[str, str]:
        """Make a user who has the right to these actions only, and return the environment that is theirs."""
        iam = self.client("iam")
        iam.create_user(UserName="sweeper")
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="sweeper", PolicyName="read", PolicyDocument=document)
        key = iam.create_access_key(UserName="sweeper")["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def role(self, name: str = "reader") -> str:
        """Return the ARN of a role that anybody may take on."""
        role = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
        return str(role["Role"]["Arn"])

    def _post(self, what: str, data: bytes) -> None:
        request = urllib.request.Request(  # noqa: S310 - a server of this test on this machine
            f"{self.url}/moto-api/{what}", data=data, method="POST", headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same server
            answer.read()


@contextmanager
def moto_server() -> Iterator[Moto]:
    """Run the server until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(PROGRAM), "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "AWS_DEFAULT_REGION": REGION},
        )
        try:
            _await(url, process)
            yield Moto(url=url)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5):  # noqa: S310 - on this machine
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError("moto's server does not start")
