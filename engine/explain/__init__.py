"""Verdicts and tools in plain words, and the nearest change under which a call would be judged otherwise."""
