"""Tool adapters: one file for each kind of thing that can act."""
