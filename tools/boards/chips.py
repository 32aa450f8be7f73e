"""What each pin of a chip can do, from Espressif's datasheets."""

from dataclasses import dataclass


def _pins(text):
    # "0-5 12" -> {0, 1, 2, 3, 4, 5, 12}
    pins = set()
    for span in text.split():
        first, _, last = span.partition("-")
        pins |= set(range(int(first), int(last or first) + 1))
    return frozenset(pins)


@dataclass(frozen=True)
class Chip:
    """One chip. `taken` maps a reason to the pins that are not free because of it.

    `image_id`: of ESP-IDF's `esp_image_header_t`, what a firmware file is for.
    `flash_offset`: where the boot loader, and so MicroPython's file, begins.
    """

    name: str
    source: str
    image_id: int
    flash_offset: int
    exists: frozenset
    input_only: frozenset
    adc1: frozenset
    adc2: frozenset
    rtc: frozenset
    taken: dict


def _chip(name, source, image_id, flash_offset, *, taken, **pins):
    taken = {why: _pins(text) for why, text in taken.items()}
    pins = {what: _pins(text) for what, text in pins.items()}
    return Chip(name, source, image_id, flash_offset, taken=taken, **pins)


_STRAPPING = "a strapping pin: its level at reset chooses how the chip starts"
_CONSOLE = "the serial console"
CHIPS = {
    "esp32": _chip(
        name="ESP32",
        source='ESP32 Series Datasheet: "Pin Definitions", "Strapping Pins", "ADC", '
        '"Peripheral Pin Configurations"; ESP32-WROOM-32E Datasheet: "Pin Definitions"',
        image_id=0,
        flash_offset=0x1000,
        exists="0-5 6-11 12-19 21-23 25-27 32-36 39",
        input_only="34-36 39",
        adc1="32-36 39",
        adc2="0 2 4 12-15 25-27",
        rtc="0 2 4 12-15 25-27 32-36 39",
        taken={
            _STRAPPING: "0 2 5 12 15",
            "wired to the flash in the module": "6-11",
            "wired to the PSRAM in a WROVER module": "16 17",
            _CONSOLE: "1 3",
        },
    ),
    "esp32s3": _chip(
        name="ESP32-S3",
        source='ESP32-S3 Series Datasheet: "Pin Overview", "Strapping Pins", "ADC", "USB"; '
        'ESP32-S3-WROOM-1 Datasheet: "Pin Definitions"',
        image_id=9,
        flash_offset=0,
        exists="0-21 26-48",
        input_only="",
        adc1="1-10",
        adc2="11-20",
        rtc="0-21",
        taken={
            _STRAPPING: "0 3 45 46",
            "wired to the flash or the PSRAM in the module": "26-32",
            "wired to octal flash or PSRAM in the modules that have it": "33-37",
            "USB": "19 20",
            _CONSOLE: "43 44",
        },
    ),
    "esp32c3": _chip(
        name="ESP32-C3",
        source='ESP32-C3 Series Datasheet: "Pin Overview", "Strapping Pins", "ADC"; ESP32-C3 '
        'Series SoC Errata: "ADC2"',
        image_id=5,
        flash_offset=0,
        exists="0-21",
        input_only="",
        adc1="0-4",
        adc2="5",
        rtc="0-5",
        taken={
            _STRAPPING: "2 8 9",
            "wired to the flash in the module, or its supply": "11-17",
            "USB": "18 19",
            _CONSOLE: "20 21",
        },
    ),
}
