"""The interpreter by itself."""

from bench_order import loaded, order, say


def main():
    order()
    say(ok=True, loaded=loaded())
