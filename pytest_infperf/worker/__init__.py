"""One process a variant: `parent` starts and freezes it, `child` runs in it, `messages` between.

A worker serves one loaded variant; a builder, the same kind of process, makes one artifact.
"""
