"""Real kills: a process that drives sessions is killed at random moments, again and again, and another goes on."""
