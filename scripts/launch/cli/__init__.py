"""The command line of a script: its flags, mistakes in one sentence, Ctrl-C, progress."""
