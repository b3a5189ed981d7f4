"""The extra that the simulator needs, imported on use."""

from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["needs_extra"]


@contextmanager
def needs_extra() -> Generator[None, None, None]:
    """Turn a missing library into one line that says how to install it.

    Raises:
        ImportError: what was imported in the block is not installed.
    """
    try:
        yield
    except ImportError as missing:
        raise ImportError(
            f"The simulator needs {missing.name}: pip install 'deepidv-async[simulator]'",
            name=missing.name,
        ) from missing
