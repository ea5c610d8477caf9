"""The command line: a door for people and scripts. It holds no logic of its own but words, tables and exit codes."""
