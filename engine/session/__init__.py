"""The core: events, state, and three pure functions (`evolve`, `pending`, `decide`).

No clock, no dice, no wire, no disk: time and ids come in with the replies.
"""
