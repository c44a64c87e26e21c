"""Where sessions are kept: in memory or in SQLite, behind one contract."""
