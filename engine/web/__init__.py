"""The service: HTTP in front of the engine, for programs and for people in a browser."""
