"""``sanfen demo``: the real service between a small simulated marketplace and a small simulated desk.

Only the people are simulated. Requests are real HTTP with real signatures, the database is a real file, and time may run
faster than the wall clock: everything in the service reads it from the same clock.
"""
