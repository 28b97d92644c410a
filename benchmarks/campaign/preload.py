"""What the server that workers are forked from imports first, before there are any threads."""

from benchmarks.training.allocator import keep_freed_memory
from verification.claims.provenance import current_provenance

keep_freed_memory()
current_provenance()  # of the sources that all its workers are made of, whatever becomes of them
