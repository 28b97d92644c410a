"""Questions beyond the paper that a campaign answers: `campaign run --study NAME`.

bases: networks that differ in their basis alone; choose: which bases, by their predicted error, and
`bases.toml`, what it wrote; unseen: what the ends of the scale axis predict at scales that no
training image has; plans: the runs of each study.
"""
