"""The MicroPython lane beside CPython's, and the kits whose fixtures the tests name."""

import os

pytest_plugins = [
    "mp_runner",
    "board_kit",
    "deploy_kit",
    "drs_sim_kit",
    "maker_kit",
    "provision_kit",
    "virtual_board_kit",
]
# `make hil` names a board; without one there is nothing to test.
collect_ignore = [] if os.environ.get("LOWTIDE_PORT") else ["hil"]
