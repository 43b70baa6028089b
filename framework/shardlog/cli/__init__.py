"""The command line `shardlog`: one module a command, loaded when it is asked for."""
