"""The expression language: text to a typed tree, and its value for given names; it knows no rule.

No clock, no dice, no wire, no disk.
"""
