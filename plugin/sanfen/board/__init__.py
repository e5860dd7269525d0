"""What people and machines look at, on the second port: status page, API, health and metrics. Nothing here writes."""
