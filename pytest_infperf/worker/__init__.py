"""The process that runs one variant: `parent` starts and freezes it, `child` runs inside it.

`messages` defines what the two exchange over pipes. A builder is the same kind of process; it
builds one artifact and ends.
"""
