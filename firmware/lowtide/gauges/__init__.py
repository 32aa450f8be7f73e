"""Gauge drivers, one a file; a board's file says which one is fitted.

A driver is `read() -> int`, one raw sample in the unit that its docstring names. Three attributes:
`sleep()` powers the sensor down until the next `read()`, None where nothing can be; `below` is the
fault that a level below empty is, None where it is just empty; `keeps` is how many bytes of RTC
memory it wants, with `pack() -> bytes` and `resume(bytes)`, which is called once at every start,
with none after a power cut. All the rest is `lowtide.gauge`.
"""
