"""Every way out of the engine, as Protocols: one door for each kind of effect.

The core never comes here; the runtime walks through these doors and brings back what they answer.
"""
