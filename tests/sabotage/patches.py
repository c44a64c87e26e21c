"""The patches: what is taken out of a file, what stands there instead, and the test that must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Patch:
    """One mechanism taken out."""

    name: str
    file: str
    take: str
    put: str
    test: str

    def apply(self, at: Path) -> None:
        """Change the copy of the repository in a folder."""
        path = at / self.file
        text = path.read_text("utf-8")
        assert text.count(self.take) == 1, (
            f"{self.name}: `{self.take}` stands {text.count(self.take)} times in {self.file}"
        )
        path.write_text(text.replace(self.take, self.put), "utf-8")


def patches() -> list[Patch]:
    """All of them."""
    return [Patch(**entry) for entry in yaml.safe_load((Path(__file__).parent / "patches.yaml").read_text("utf-8"))]
