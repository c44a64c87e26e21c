"""For tests of bundles and of the engine: pathways, virtual time, the contract that every store fulfils."""
