"""The commands of `auxloom`, one file per command, and beside them what several commands share.

A command's file has ``COMMAND``, a function of its name whose arguments are those of the command line, and ``EXAMPLE``,
the end of its help; `pipelines.cli` lists these files. Whichever command is given, all of them are imported: what one
needs for its work (Arrow, labelers, torch) is imported in its function.
"""
