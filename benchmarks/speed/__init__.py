"""The three-step session, durable, on this engine, on its floor and on others; `make bench` runs them in turn."""
