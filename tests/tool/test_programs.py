"""Nothing that a program started lives on: not after its end, its cancellation, its connection, or the engine's death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from engine.spec.bundle import Bundle
from tests.bundle_texts import CODE, agent, policy, tool
from tests.cli.shell import command as cli
from tests.cli.shell import environment
from tests.tool.peers import cancelled_after, run, with_tool
from tests.tool.test_commands import RUN, command
from tests.waiting import alive

# a daemon as they are made: two forks, a session of its own twice, no pipe of ours
DAEMON = """
import os, time
def daemon(noted):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            for fd in (0, 1, 2): os.close(fd)
            open(noted + ".part", "w").write(str(os.getpid())); os.rename(noted + ".part", noted)
            time.sleep(120)
        os._exit(0)
    while not os.path.exists(noted): time.sleep(0.005)
"""
# one that takes its parent for gone, ignores what can be ignored and is started by a shell
HIDDEN = "import subprocess; subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP INT; setsid -f sh -c \"echo \\$\\$ > {0}.part; mv {0}.part {0}; sleep 120\"']); import os, time\nwhile not os.path.exists('{0}'): time.sleep(0.005)\n"
PEER = (
    DAEMON
    + """
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    if "id" not in m: continue
    if m["method"] == "initialize": r = {"protocolVersion": m["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "p", "version": "1"}}
    elif m["method"] == "tools/list": r = {"tools": [{"name": "go", "description": "go", "inputSchema": {"type": "object"}}]}
    else: daemon(sys.argv[1]); r = {"content": [{"type": "text", "text": "ok"}], "structuredContent": {}}
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": r}), flush=True)
"""
)


async def gone(noted: Path) -> None:
    pid = int(await trio.Path(noted).read_text())
    try:
        with trio.fail_after(600):
            while alive(pid):  # noqa: ASYNC110
                await trio.sleep(0.02)
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


async def there(noted: Path) -> None:
    with trio.fail_after(600):
        while not noted.exists():  # noqa: ASYNC110
            await trio.sleep(0.02)


def python_write(source: str) -> Bundle:
    return with_tool("act", "{kind: python, file: specs/tools/act.py, function: act}", "write",
                     files=(("specs/tools/act.py", source),))  # fmt: skip


@pytest.mark.parametrize("effect", ["read", "write"])
async def test_a_daemon_of_a_command_is_gone_when_its_result_is_there(tmp_path: Path, effect: str) -> None:
    noted = tmp_path / "pid"
    assert await run(command(RUN, effect=effect, script=DAEMON + f"daemon({str(noted)!r}); print('{{}}')"), "act") == {}
    await gone(noted)


async def test_what_a_shell_has_hidden_is_gone_when_the_result_is_there(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    assert await run(command(RUN, script=HIDDEN.format(noted) + "print('{}')"), "act") == {}
    await gone(noted)


async def test_a_daemon_of_a_command_is_gone_after_its_cancellation(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    await cancelled_after(noted, command(RUN, script=DAEMON + f"daemon({str(noted)!r}); time.sleep(600)"))
    await gone(noted)


async def test_a_daemon_of_a_command_that_failed_or_said_too_much_is_gone(tmp_path: Path) -> None:
    for number, ending in enumerate(
        ("raise SystemExit(3)", "print('x' * 5000, flush=True); time.sleep(60)", "os.kill(os.getpid(), 9)")
    ):
        noted = tmp_path / f"pid{number}"
        with pytest.raises(BaseExceptionGroup):
            await run(command(RUN, "max_output: 2000", script=DAEMON + f"daemon({str(noted)!r})\n{ending}"), "act")
        await gone(noted)


async def test_a_daemon_of_a_python_write_is_gone_when_its_result_is_there(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    made = python_write(DAEMON + f"\ndef act(**given):\n    daemon({str(noted)!r})\n    return {{}}\n")
    assert await run(made, "act") == {}
    await gone(noted)


async def test_a_daemon_of_a_server_is_gone_when_its_connection_is_closed(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    (tmp_path / "peer.py").write_text(PEER)
    server = f"kind: Server\nname: peer\ncommand: [{sys.executable}, {tmp_path / 'peer.py'}, {noted}]\n"
    made = with_tool("act", "{kind: mcp, server: peer, tool: go}", files=(("specs/servers/peer.yaml", server),))
    await run(made, "act")
    await gone(noted)


ENDLESS = (
    DAEMON
    + """
def act(**given):
    daemon(NOTED)
    open(NOTED + ".main", "w").write(str(os.getpid()))
    time.sleep(120)
"""
)


@pytest.mark.parametrize("kind", ["command", "python", "mcp"])
async def test_nothing_of_a_program_is_left_after_kill_9_of_the_engine(tmp_path: Path, kind: str) -> None:
    noted = tmp_path / "pid"
    source = ENDLESS.replace("NOTED", repr(str(noted)))
    peer = PEER.replace(
        "daemon(sys.argv[1]);",
        "daemon(sys.argv[1]); open(sys.argv[1] + '.main', 'w').write(str(os.getpid())); time.sleep(120);",
    )
    adapters = {
        "command": f"{{kind: command, argv: [{sys.executable}, specs/tools/act.py], files: [specs/tools/act.py]}}",
        "python": "{kind: python, file: specs/tools/act.py, function: act}",
        "mcp": "{kind: mcp, server: peer, tool: go}",
    }
    planner = {"message": "x", "tool_calls": [{"id": "c1", "name": "act", "input": {}}]}
    path, text = agent("[act]", policies="[rules]")
    text = text.replace("{message: hi, done: true}", json.dumps(planner))
    files = [
        (path, text), tool("act", "write", more=f"adapter: {adapters[kind]}\n"), policy("  - {id: a, tools: [act], effect: allow}"),
        ("specs/tools/act.py", source + ("\nact()\n" if kind == "command" else "")), ("specs/tools/code.py", CODE),
        ("peer.py", peer),
    ]  # fmt: skip
    if kind == "mcp":
        files.append(
            (
                "specs/servers/peer.yaml",
                f"kind: Server\nname: peer\ncommand: [{sys.executable}, {tmp_path / 'peer.py'}, {noted}]\n",
            )
        )
    for name, content in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    engine = subprocess.Popen(cli("run", ".", "-m", "hi", "--set", "tenant=acme"), cwd=tmp_path,
                              env=environment(tmp_path / "e.db"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    try:
        await there(tmp_path / "pid.main")
    finally:
        engine.kill()
        engine.communicate()
    try:
        await gone(noted)
    finally:
        await gone(tmp_path / "pid.main")


async def test_a_program_that_kills_its_supervisor_is_told_as_lost_and_gone(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    script = f"import os, signal, time; open({str(noted)!r}, 'w').write(str(os.getpid()))\nif os.getppid() != {os.getpid()}: os.kill(os.getppid(), 9)\ntime.sleep(60)"
    with pytest.raises(BaseExceptionGroup):
        await run(command(RUN, effect="write", script=script), "act", timeout=600)
    await gone(noted)


async def test_a_program_has_no_file_of_the_engine_open() -> None:
    script = "import json, os; print(json.dumps({'open': [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists(f'/proc/self/fd/{n}')]}))"
    assert await run(command(RUN, script=script), "act") == {"open": []}


async def test_a_program_does_not_find_the_engine_s_signals_blocked_or_ignored() -> None:
    output = await run(command("[sh, -c, 'exec cat /proc/self/status']", "stdout: text"), "act")
    masks = dict(line.split(":\t") for line in output["text"].splitlines() if line.startswith(("SigBlk", "SigIgn")))
    known = sum(1 << number - 1 for number in signal.valid_signals())
    assert {name: int(mask, 16) & known for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}
