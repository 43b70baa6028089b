"""A journal in SQLite files of one directory: durable, on a local disk, without a server."""
