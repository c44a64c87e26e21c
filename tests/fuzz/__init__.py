"""Inputs that nobody would think of, made from those that are right: what reads them ends, and says what is wrong."""
