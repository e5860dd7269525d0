"""From outbox rows to people: a few small stages, one after the other."""
