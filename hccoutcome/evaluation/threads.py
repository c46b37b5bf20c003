"""One thread of linear algebra a process: the matrices of a few hundred patients are slower with several.

Sums of several threads are also less alike: with one, the same seed gives the same bytes on a machine whatever its
environment says of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from joblib import parallel_config
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Give this process, and each that joblib starts, one thread of linear algebra as long as the context lasts."""
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        stack.enter_context(parallel_config(backend="loky", inner_max_num_threads=1))
        yield
