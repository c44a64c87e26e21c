"""The three-step session on LangGraph with its asynchronous SQLite saver, `durability="sync"`.

usage: peer_langgraph.py MODE SESSIONS STEPS; it runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from benchmarks.speed.work import OUTPUTS, Meter, planned, stored, tell


@tool
def read_customer(customer_id: str) -> dict[str, Any]:
    """Read a customer."""
    return OUTPUTS["read_customer"]


@tool
def read_order(order_id: str) -> dict[str, Any]:
    """Read an order."""
    return OUTPUTS["read_order"]


@tool
def refund(order_id: str, amount_usd: float) -> dict[str, Any]:
    """Pay an order back."""
    return OUTPUTS["refund"]


def graph(saver: Any, steps: int) -> Any:
    def model(state: Any) -> dict[str, Any]:
        step = sum(1 for message in state["messages"] if message.type == "ai") + 1
        calls = planned(step, steps)
        if not calls:
            return {"messages": [AIMessage("done")]}
        listed = [{"name": name, "args": given, "id": f"c{step}-{n}"} for n, (name, given) in enumerate(calls)]
        return {"messages": [AIMessage("", tool_calls=listed)]}

    made = StateGraph(MessagesState)
    made.add_node("model", model)
    made.add_node("tools", ToolNode([read_customer, read_order, refund]))
    made.add_edge(START, "model")
    made.add_conditional_edges(
        "model", lambda state: "tools" if state["messages"][-1].tool_calls else END, ["tools", END]
    )
    made.add_edge("tools", "model")
    return made.compile(checkpointer=saver)


async def run(mode: str, sessions: int, steps: int, folder: Path) -> None:
    path = folder / "langgraph.db"
    numbers = itertools.count()
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        made = graph(saver, steps)

        async def one() -> None:
            config = {"configurable": {"thread_id": f"s{next(numbers)}"}, "recursion_limit": 10 * steps + 50}
            came = await made.ainvoke({"messages": [HumanMessage("refund")]}, config, durability="sync")
            assert came["messages"][-1].content == "done"

        await one()
        with Meter() as meter:
            if mode == "many":
                await asyncio.gather(*[one() for _ in range(sessions)])
            else:
                for _ in range(sessions):
                    await one()
    tell(mode=mode, sessions=sessions, steps=steps, cpu=meter.cpu, wall=meter.wall, bytes=stored(path))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(place)))
