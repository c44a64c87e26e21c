"""The command line: arguments in, text and exit code out; a file a command."""
