"""The `hedgerow` command: the outermost layer, which talks HTTP to a server and prints for a person or a program."""
