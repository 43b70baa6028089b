"""What programs send commands with."""
