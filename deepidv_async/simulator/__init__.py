"""The DeepIDV API as an ASGI application: both generations, limits, faults, a journal.

For the demo, for this library's tests, and for the tests of those who use it. It takes the
extra `simulator` (Starlette and uvicorn), which is imported on use.
"""

from deepidv_async.simulator._app import Simulator
from deepidv_async.simulator._faults import Fault
from deepidv_async.simulator._journal import Entry, Journal
from deepidv_async.simulator._serving import RunningSimulator, running_simulator, serve

__all__ = [
    "Entry",
    "Fault",
    "Journal",
    "RunningSimulator",
    "Simulator",
    "running_simulator",
    "serve",
]
