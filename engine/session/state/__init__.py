"""What happened and what it adds up to: events, inputs, effects, and the state that they are folded into."""
