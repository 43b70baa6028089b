"""Object stores that are folders."""
