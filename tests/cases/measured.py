"""measured.py FILE COMMAND...: run a command, and add the most memory that it or a child of it held to FILE, in KB."""

import os
import signal
import sys

FILE, COMMAND = sys.argv[1], sys.argv[2:]

child = os.spawnv(os.P_NOWAIT, COMMAND[0], COMMAND)
for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(sign, lambda number, _: os.kill(child, number))
_, status, used = os.wait4(child, 0)
with open(FILE, "a") as file:
    file.write(f"{used.ru_maxrss}\n")
sys.exit(os.waitstatus_to_exitcode(status) % 256)
