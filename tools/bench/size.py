"""Bytes in flash of the firmware, beside the published size of pimoroni/enviro."""

from tools.bench.summary import Row
from tools.footprint import ceilings, table
from tools.footprint.measure import measure as sizes_of

_PEER = "pimoroni/enviro, published"


def measure() -> list[Row]:
    """Measure and print; return the rows of the table."""
    limits = ceilings.read()
    sizes = sizes_of(ceilings.order(limits))
    print("Bytes in flash, by module: `make size`. enviro's is published, and it orders nothing.")
    sums = ceilings.sums(limits, sizes)
    loop, whole = sums["loop"].flash, sums["loop"].flash + sums["people"].flash
    print(f"the loop with one gauge {loop:,}, with console, calibration, self-test {whole:,}")
    rows = []
    for bytes_, (text, (most, _)) in zip((loop, whole), table.PROMISES.items(), strict=True):
        rows.append(Row(f"firmware, {text}", "bytes in flash", bytes_, table.PEER_BYTES, _PEER))
        rows.append(
            Row(f"firmware, {text}", "bytes in flash", bytes_, most, "promised", is_limit=True)
        )
    return rows
