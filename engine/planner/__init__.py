"""Planners: they propose, and decide nothing."""
