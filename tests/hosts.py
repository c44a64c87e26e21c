"""Other machines, as far as the network goes: each has a network of its own, and one cable that can be pulled out."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import count
from types import TracebackType

_NUMBERS = count(1)


def _can() -> bool:
    ip = shutil.which("ip")
    if ip is None or os.getuid() != 0:
        return False
    name = f"try{os.getpid()}"
    made = subprocess.run([ip, "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run([ip, "netns", "del", name], capture_output=True, check=False)
    return made


HAS_HOSTS = _can()


class Host:
    """A machine at `there`, which reaches this one at `here`."""

    def __init__(self) -> None:
        number, pid = next(_NUMBERS), os.getpid()
        self._name = f"h{pid}n{number}"
        self._cable, self._far = f"c{pid % 100_000}n{number}", f"d{pid % 100_000}n{number}"
        net = f"10.{64 + pid // 250 % 128}.{pid % 250}"
        self.here, self.there = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}"

    def __enter__(self) -> Host:
        self._ip("netns", "add", self._name)
        self._ip("link", "add", self._cable, "type", "veth", "peer", "name", self._far)
        self._ip("link", "set", self._far, "netns", self._name)
        self._ip("addr", "add", f"{self.here}/30", "dev", self._cable)
        self._ip("link", "set", self._cable, "up")
        for inside in (f"addr add {self.there}/30 dev {self._far}", f"link set {self._far} up", "link set lo up"):
            self._ip("-n", self._name, *inside.split())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ip("netns", "del", self._name)

    @staticmethod
    def _ip(*arguments: str) -> None:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"

    def command(self, *line: str) -> list[str]:
        """A command as it is run there."""
        return ["ip", "netns", "exec", self._name, *line]

    def cut(self) -> None:
        """Pull the cable out: nothing arrives any more, and nobody is told."""
        self._ip("link", "set", self._cable, "down")

    def mend(self) -> None:
        """Put it in again."""
        self._ip("link", "set", self._cable, "up")

    def lose_answers(self) -> None:
        """What is sent from there arrives here, and nothing arrives there."""
        self._ip("route", "add", "blackhole", f"{self.there}/32")

    def find_answers(self) -> None:
        """Answers arrive again."""
        self._ip("route", "del", "blackhole", f"{self.there}/32")
