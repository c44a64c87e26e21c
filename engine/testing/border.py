"""What of a fixture leaves the process: only what it calls `live`, and nothing where nothing is to act for real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.ports import ToolAdapter, ToolError, ToolRun
from engine.session.bundle import HANDOFF, READ, Tool
from engine.testing.expectations import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import httpx2

    from engine.planner.traffic import Traffic

# these act on the fixture's own databases, and on nothing else
_OWN = frozenset({"sql", HANDOFF})


def leaves(tool: Tool) -> bool:
    """Whether a run of a tool reaches what is outside of the process and of the fixture's own databases."""
    kind = tool.adapter.kind
    return kind not in _OWN and not (kind == "python" and tool.effect == READ)


@dataclass(slots=True)
class Border:
    """Keeps what leaves the process from acting, unless its name is in `live`; if not `real`, then too.

    `failures` are of what would have left and is not live, by name; `untried` what is live and was kept all the same.
    """

    live: frozenset[str]
    real: bool = True
    failures: dict[str, Failure] = field(default_factory=dict)
    untried: set[str] = field(default_factory=set)

    def adapter(self, tool: Tool) -> ToolAdapter | None:
        """What stands in the place of a tool that may not act; None if it may."""
        if not leaves(tool) or (self.real and tool.name in self.live):
            return None
        return _Kept(self)

    def traffic(self, models: Iterable[str]) -> Traffic | None:
        """What answers in the place of a session's models; None if all of them may be asked."""
        kept = [name for name in models if not (self.real and name in self.live)]
        return _Unasked(self, kept) if kept else None

    def keep_tool(self, tool: Tool) -> None:
        """Note that a tool would have acted."""
        stub = f"`stubs: {{{tool.name}: {{output: ...}}}}`"
        self._keep(tool.name, f"tool `{tool.name}`", stub, f"a run for real ({tool.adapter.kind})")

    def keep_model(self, name: str) -> None:
        """Note that a model would have been asked."""
        self._keep(name, f"planner `{name}`", "`decisions: [...]` or `cassette: FOLDER`", "a question to its model")

    def _keep(self, name: str, what: str, instead: str, came: str) -> None:
        if name in self.live:
            self.untried.add(name)
            return
        expected = f"{instead} in the fixture, or `live: [{name}]` to let it act for real"
        self.failures[name] = Failure(what, expected, f"{came}, which was not made")


@dataclass(frozen=True, slots=True)
class _Kept:
    border: Border

    async def run(self, run: ToolRun) -> Any:
        """See `ports.ToolAdapter`."""
        self.border.keep_tool(run.tool)
        raise ToolError("not_live", f"fixtures run {run.tool.name} only where they call it live", acted=False)


class _Unasked:
    """Traffic of models that are not asked: every question is one that was not recorded."""

    offline = True

    def __init__(self, border: Border, names: Iterable[str]) -> None:
        self._border = border
        self._names = names

    def transport(self) -> httpx2.AsyncBaseTransport:
        """See `Traffic`; a transport is made at the first question."""
        from engine.planner.traffic import Replayed

        for name in self._names:
            self._border.keep_model(name)
        return Replayed({}).transport()


def border_of(fixture: Mapping[str, Any], *, real: bool) -> Border:
    """The border of a fixture; what is not `real` runs nothing for real, whatever the fixture says."""
    return Border(frozenset(fixture.get("live", ())), real)
