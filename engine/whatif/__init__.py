"""What another bundle would have done in past sessions."""
