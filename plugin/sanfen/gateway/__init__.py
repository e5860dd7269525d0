"""The HTTP edge of the traffic: relay both ways, tell the engine, and never stand in the chat's way."""
