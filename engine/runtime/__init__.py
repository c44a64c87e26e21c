"""The loop: claim a session, decide, append, perform what the log calls for, until it waits or is over."""
