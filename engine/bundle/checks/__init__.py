"""One file a rule: its code, its words, its manual page."""
