"""A declarative agent engine: the model proposes, the runtime decides, the tools act."""

__version__ = "0.1.0"
