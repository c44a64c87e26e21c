"""Telling others of what people are asked: what is due, in which words, and until it was taken."""
