"""The expression language, the rules written in it, and the gate that judges a call by them.

No clock, no dice, no wire, no disk.
"""
