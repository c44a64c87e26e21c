"""A real PostgreSQL server of the tests' own, on a socket in a folder of its own; each test has a schema of its own."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import quote

from engine.random_bytes import random_hex
from tests.ports import free_port

# Debian keeps the server's programs where no path leads
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
HAS_POSTGRES = bool(_FOLDERS) or shutil.which("initdb") is not None


class PostgresServer:
    """One that can be stopped, killed and started again."""

    def __init__(self, *, durable: bool = False, listen: str = "") -> None:
        """A `durable` one keeps what it has acknowledged through a crash of the machine too, and is slower.

        It listens at an address too, if one is given, for whoever is in that network.
        """
        self._fsync = "on" if durable else "off"
        self._listen, self._port = listen, free_port() if listen else 5432
        # not in a folder of pytest's, where only who runs the tests may look
        self.at = at = Path(tempfile.mkdtemp(prefix="pg-"))
        atexit.register(self._remove)
        self._bin = f"{_FOLDERS[0]}/" if _FOLDERS else ""
        # the server refuses to be root
        user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self._as = ["runuser", "-u", "postgres", "--"] if user is not None else []
        if user is not None:
            os.chown(at, user.pw_uid, user.pw_gid)
        self._run(
            "initdb", "-D", f"{at}/data", "-U", "engine", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"
        )
        if listen:
            with (at / "data/pg_hba.conf").open("a", encoding="utf-8") as rules:
                rules.write(f"host all all {listen}/24 trust\n")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        line = [*self._as, f"{self._bin}{program}", *arguments]
        done = subprocess.run(line, cwd=self.at, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout

    def start(self) -> None:
        """Run, and answer."""
        options = f"-k {self.at} -p {self._port} -c listen_addresses={self._listen} -c fsync={self._fsync} -c max_connections=200"
        self._run("pg_ctl", "-D", f"{self.at}/data", "-l", f"{self.at}/log", "-w", "-t", "600", "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        """End: `immediate` is as a crash is."""
        self._run("pg_ctl", "-D", f"{self.at}/data", "-m", how, "-w", "-t", "600", "stop")

    def _remove(self) -> None:
        if (self.at / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.at, ignore_errors=True)

    def url(self, schema: str = "") -> str:
        """A store that nobody has, or one of a name."""
        at = self._listen or quote(str(self.at), safe="")
        return f"postgresql://engine@/postgres?host={at}&port={self._port}&schema={schema or f's{random_hex(6)}'}"


@cache
def server() -> PostgresServer:
    """The one that all tests of this process share."""
    return PostgresServer()
