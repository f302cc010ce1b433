"""Inference performance and quality as tests.

The public names are listed once, in the stub beside this file, and each is imported when it is
first used: importing the package imports no runtime and no numerical library.
"""

import lazy_loader

_public_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-infperf")
    return _public_name(name)
