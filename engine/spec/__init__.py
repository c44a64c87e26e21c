"""The frozen parts of a bundle: what a checked directory of YAML means to every other room."""
