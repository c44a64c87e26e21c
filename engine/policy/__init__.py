"""The rules that are written in the expression language, and the gate that judges a call by them.

No clock, no dice, no wire, no disk.
"""
