"""What a process says of itself while it runs: figures for Prometheus, and structured logs."""
