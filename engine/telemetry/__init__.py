"""What runs, in numbers and lines: made from the logs of sessions, so that a crash loses none of it."""
