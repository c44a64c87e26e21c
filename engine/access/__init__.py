"""Who is at the service, and what they may do there."""
