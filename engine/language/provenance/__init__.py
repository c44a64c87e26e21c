"""Where values come from: each is looked for in everything that the session was told."""
