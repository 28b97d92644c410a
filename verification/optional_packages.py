"""What is installed on request: `pip install 'sesn-verification[NAME]'`, and who asks for it.

The judge and the layers run on the core dependencies. Everything else says which extra it needs in
one sentence, in place of a ModuleNotFoundError from within.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXTRAS = {
    "figures": ("matplotlib",),
    "testing": ("hypothesis", "pytest"),
    "benchmarks": (
        "dask", "distributed", "filelock", "hypothesis", "packaging", "PIL", "pytest",
        "pytest_benchmark", "torchvision",
    ),
    "reports": ("matplotlib",),
}  # fmt: skip
"""Modules of each extra; pyproject.toml lists the distributions that hold them."""


class MissingExtraError(ImportError):
    """Something is used that its extra has to bring."""


def require(extra: str, user: str) -> None:
    """Raises MissingExtraError, naming `user` and the extra, if one of its modules is missing.

    While `python -m PACKAGE` is starting there is nobody to catch it: then the sentence is printed
    and the process ends with exit code 2, as for any mistake of usage.
    """
    missing = [module for module in EXTRAS[extra] if find_spec(module) is None]
    if not missing:
        return
    sentence = (
        f"{user} needs {', '.join(missing)}, not installed here: "
        f"python -m pip install 'sesn-verification[{extra}]', or '.[{extra}]' in a checkout"
    )
    if sys.argv[0] == "-m":  # documented: so while the module that -m names is being located
        print(f"error: {sentence}", file=sys.stderr)
        raise SystemExit(2)
    raise MissingExtraError(sentence)
