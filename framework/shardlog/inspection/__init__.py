"""What stands in a journal, for people: each record with its verdict, one stream's history. Reads, never writes."""
