"""What scale-equivariant networks cost and how well they learn: data, recipes, runs, timing."""


class CommandError(RuntimeError):
    """What stops a command for a reason that its user can do something about, told in one line."""
