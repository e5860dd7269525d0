"""What people and machines look at, on the second port: the board, its API, health and metrics."""
