"""YAML on disk to a checked, frozen, digested Bundle: read, shape, link, check."""
