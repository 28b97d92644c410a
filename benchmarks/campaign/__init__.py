"""A campaign: all trainings that the published tables need, one independent run after the other.

plan: which runs there are, and in which order they tell most. ledger: which of them are finished;
the folder of evidence is the truth. work: one run on one worker. schedule: all of them, in order;
execute: on a Dask cluster; pool: on processes of this machine. status: what is there and how long
the rest takes.
"""
