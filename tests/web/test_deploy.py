"""What the page about deploying shows is tried: the unit, the container's command and its probe, and a real nginx."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.cli.shell import ROOT, Shell, copy_of_root, environment
from tests.ports import free_port
from tests.waiting import until
from tests.web.service import lines_of, open_service, opening

PAGE = (ROOT / "docs" / "operate" / "deploy.md").read_text("utf-8")


def block(language: str, number: int = 0) -> str:
    """A block of the page."""
    return str(re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)[number])


def configured(at: Path, more: str = "") -> int:
    """A copy of the root bundle with a service's file; its port."""
    copy_of_root(at)
    port = free_port()
    (at / "engine.yaml").write_text(f"kind: Service\nport: {port}\nstore: sqlite:///engine.db\n{more}")
    return port


@contextmanager
def running(command: list[str], at: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=at, env=environment(at / "engine.db") | more, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=600)


def is_ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, process.stderr and process.stderr.read()
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=600).status_code == 200
    except httpx2.HTTPError:
        return False


def test_the_unit_is_one_that_systemd_takes_and_its_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    at = tmp_path / "here"
    port = configured(at)
    unit = block("ini").replace("/srv/engine/.venv/bin/engine", f"{at}/engine").replace("/srv/engine", str(at))
    (at / "engine").symlink_to(Path(sys.executable).parent / "engine")
    (at / "engine.service").write_text(unit)
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(at / "engine.service")], capture_output=True, text=True
        )
        assert (done.returncode, [line for line in done.stderr.splitlines() if "engine.service" in line]) == (0, [])
    service = configparser.ConfigParser(strict=True, interpolation=None)
    service.optionxform = str  # type: ignore[assignment,method-assign]
    service.read_string(unit)
    (at / "secrets").mkdir()
    told = service["Service"]
    assert told["Environment"] == "ENGINE_SECRETS=%d"
    with running(shlex.split(told["ExecStart"]), at, ENGINE_SECRETS=str(at / "secrets")) as process:
        until(lambda: is_ready(port, process), "the service is ready")
        process.send_signal(signal.Signals[told["KillSignal"]])
        assert process.wait(timeout=600) == 0


def test_the_command_of_the_container_serves_and_its_probe_finds_it_ready(tmp_path: Path) -> None:
    at = tmp_path / "here"
    container, compose = block("dockerfile"), yaml.safe_load(block("yaml"))
    lines = [line.split(maxsplit=1) for line in container.splitlines()]
    (copied,) = [rest.split() for name, rest in lines if name == "COPY" and "engine.yaml" in rest]
    assert copied[1:] == ["engine.yaml", "access.yaml", "./"]
    copy_of_root(at / "bundle")
    port = free_port()
    (at / "engine.yaml").write_text(f"kind: Service\nbundle: bundle\nport: {port}\nstore: sqlite:///engine.db\n")
    (command,) = [yaml.safe_load(rest) for name, rest in lines if name == "CMD"]
    (stop,) = [rest for name, rest in lines if name == "STOPSIGNAL"]
    (exposed,) = [rest for name, rest in lines if name == "EXPOSE"]
    service = compose["services"]["engine"]
    assert service["ports"] == [f"127.0.0.1:{exposed}:{exposed}"]
    assert set(service["secrets"]) == set(compose["secrets"])
    probe = service["healthcheck"]["test"]
    assert probe[:2] == ["CMD", "python"]
    command[0], probe[1] = str(Path(sys.executable).parent / "engine"), sys.executable
    with running(command, at) as process:
        until(lambda: is_ready(port, process), "the service is ready")
        asked = [text.replace(f":{exposed}/", f":{port}/") for text in probe[1:]]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
        process.send_signal(signal.Signals[stop])
        assert process.wait(timeout=600) == 0
        assert subprocess.run(asked, capture_output=True, check=False).returncode != 0


@contextmanager
def nginx_before(upstream: str, at: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    """A real nginx with the page's configuration before a service; its address, and who trusts its certificate."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not here")
    certificate, key, port = at / "engine.pem", at / "engine.key", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate),
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    told = (
        block("nginx")
        .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace("engine.example.org", "localhost")
    )
    told = told.replace("http://127.0.0.1:8420", upstream).replace("/etc/ssl/certs/engine.pem", str(certificate))
    told = told.replace("/etc/ssl/private/engine.key", str(key))
    paths = "".join(f"{name}_temp_path {at}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (at / "nginx.conf").write_text(
        f"daemon off;\nuser {'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')};\npid {at}/nginx.pid;\n"
        f"error_log {at}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{told}}}\n"
    )
    process = subprocess.Popen([program, "-c", str(at / "nginx.conf")], stderr=subprocess.PIPE)
    trusting = ssl.create_default_context(cafile=str(certificate))
    url = f"https://localhost:{port}"
    try:
        until(lambda: _answers(url, trusting), "nginx answers")
        yield url, trusting
    finally:
        process.terminate()
        process.communicate(timeout=600)


def _answers(url: str, trusting: ssl.SSLContext) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", verify=trusting, timeout=600).status_code == 200
    except httpx2.HTTPError:
        return False


def test_behind_nginx_streams_come_as_they_are_and_the_audit_tells_who_asked(tmp_path: Path) -> None:
    at = tmp_path / "here"
    copy_of_root(at)
    (at / "engine.yaml").write_text("kind: Service\nurl: https://localhost\nproxies: [127.0.0.1]\n")
    with open_service(Shell(at), "--config", "engine.yaml") as service, nginx_before(service.url, tmp_path) as proxy:
        url, trusting = proxy
        token = {"authorization": f"Bearer {service.token('ops', 'operator')}"}
        # from another address than the proxy's, as clients are
        way = httpx2.HTTPTransport(verify=trusting, local_address="127.0.0.2")
        with httpx2.Client(base_url=url, transport=way, headers=token, timeout=600) as ops:
            # what a client says of itself stands before what the proxy adds
            made = ops.post("/v1/sessions", json=opening("acct_1002"), headers={"x-forwarded-for": "203.0.113.7"})
            assert made.status_code == 201, made.text
            path = f"/v1/sessions/{made.json()['id']}/events"
            with ops.stream("GET", path, headers={"accept": "text/event-stream"}) as stream:
                assert [one["id"] for one in lines_of(stream, 5)] == ["1", "2", "3", "4", "5"]
            events = ops.get("/v1/audit?limit=200").json()["items"]
            assert {one["address"] for one in events if one["action"] == "start"} == {"127.0.0.2"}
        page = httpx2.get(f"{url}/inbox", verify=trusting, headers={"accept": "text/html"}, timeout=600)
        assert (page.status_code, "Your token" in page.text) == (401, True)


def test_who_fails_to_log_in_behind_a_proxy_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    at = tmp_path / "here"
    copy_of_root(at)
    (at / "engine.yaml").write_text("kind: Service\nproxies: [127.0.0.1]\n")
    with open_service(Shell(at), "--config", "engine.yaml") as service:

        def tried(address: str) -> int:
            headers = {"x-forwarded-for": address, "accept": "text/html", "origin": service.url}
            return httpx2.post(f"{service.url}/login", data={"token": "x"}, headers=headers, timeout=600).status_code

        assert {tried(f"198.51.100.1, 203.0.113.{n}") for n in range(12)} == {401}, "each is another client"
        assert [tried("203.0.113.99") for _ in range(11)][-1] == 429
        # what stands before the last is the client's own word
        assert tried("192.0.2.1, 203.0.113.99") == 429
        assert tried("203.0.113.98") == 401
