"""Past sessions again: under the bundle they had, or under another one, and what rules and fixtures cover."""
