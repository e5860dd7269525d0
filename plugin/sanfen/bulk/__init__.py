"""The same core over logs: read them as a stream, score them under one policy or several, keep or show the result."""
