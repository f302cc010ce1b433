"""The process that runs one variant: `parent` starts and freezes it, `child` runs inside it.

`messages` defines the messages between them. A builder is the same kind of process, but it builds
artifacts.
"""
