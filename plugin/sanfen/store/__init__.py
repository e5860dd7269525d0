"""SQLite: one file, WAL, one connection that writes, in one thread. The journal is the truth, all else follows from it."""
