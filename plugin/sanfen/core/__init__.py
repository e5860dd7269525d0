"""The pure core: events in; rounds, effects and scores out.

Nothing here does IO, reads a clock or raises for odd data. Instants are integer milliseconds since 1970 UTC.
"""
