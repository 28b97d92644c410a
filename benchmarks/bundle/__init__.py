"""Trainings on a machine without network: a folder that holds all they need, and the way back.

make: the folder, from a clean checkout. wheels: what the other Python may lack. start: unpacks it
there. node: tests, timings and the campaign within a budget. archives: what it leaves, in few files
of bounded size, whenever it ends. take_back: checks that and takes it over. `rehearse.sh` tries all
of it on one machine.
"""
