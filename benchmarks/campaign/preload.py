"""What the server that workers are forked from imports first, before there are any threads."""

from benchmarks.allocator import keep_freed_memory

keep_freed_memory()
