"""The door for Python: what `from engine import ...` gives, on top of all else but the command line."""
