"""The fleet on a Dask cluster (the optional extra `cluster`)."""

import io
import zipfile
from pathlib import Path

import cloudpickle
import micropython
from distributed import Client, as_completed

from tools.policy import carrier
from tools.policy.fleet import Tally

_WORKERS_S = 60


def tallies(scheduler, fleet, chunks):
    """Yield (chunk, its `Tally`) in any order, from the workers of the scheduler at an address.

    Raises:
        OSError, TimeoutError: there is no scheduler, or it has had no worker for a minute.
    """
    # Neither scheduler nor workers have our modules: what they get must travel by value. Dask asks
    # cloudpickle, which knows how, only for what cannot be named, as a function in a function.
    cloudpickle.register_pickle_by_value(carrier)
    carry = carrier.tally

    def tally_there(*arguments):
        return carry(*arguments)

    with Client(scheduler) as client:
        client.wait_for_workers(1, timeout=_WORKERS_S)
        archive = client.scatter(_archive(), broadcast=True)
        told = (archive, carrier.digest(), vars(fleet))
        futures = [client.submit(tally_there, *told, chunk, pure=False) for chunk in chunks]
        for future in as_completed(futures):
            chunk, figures = future.result()
            tally = Tally()
            vars(tally).update(figures)
            yield chunk, tally
            future.release()


def _archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tools/", "")  # without its entry, a folder is no package
        for name, source in carrier.sources().items():
            archive.writestr(name, source)
        archive.write(Path(micropython.__file__), "micropython.py")
    return packed.getvalue()
