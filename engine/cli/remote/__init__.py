"""Commands as clients of a service: `engine --server URL`, with the output and the exit codes of those on a store."""
