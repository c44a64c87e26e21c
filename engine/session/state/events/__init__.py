"""Everything that can happen to a session: each kind of event is defined once, in the file of its family."""
