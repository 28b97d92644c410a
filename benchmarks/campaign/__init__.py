"""A campaign: all trainings that the published tables need, one independent run after the other.

plan: which runs there are, and in which order they tell most. ledger: which of them are finished;
the folder of evidence is the truth. work: one run on one worker. execute: all of them on a Dask
cluster. status: what is there and how long the rest takes.
"""
