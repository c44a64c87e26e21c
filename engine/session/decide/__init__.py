"""What inputs mean, as events: pure functions from a state and an input to the events that follow."""
