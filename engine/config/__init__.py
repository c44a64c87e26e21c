"""What an operator configures of a service, from files, the environment and the command line."""
