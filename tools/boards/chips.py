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


CHIPS = {
    "esp32": Chip(
        name="ESP32",
        source='ESP32 Series Datasheet: "Pin Definitions", "Strapping Pins", "ADC", '
        '"Peripheral Pin Configurations"; ESP32-WROOM-32E Datasheet: "Pin Definitions"',
        image_id=0,
        flash_offset=0x1000,
        exists=_pins("0-5 6-11 12-19 21-23 25-27 32-36 39"),
        input_only=_pins("34-36 39"),
        adc1=_pins("32-36 39"),
        adc2=_pins("0 2 4 12-15 25-27"),
        rtc=_pins("0 2 4 12-15 25-27 32-36 39"),
        taken={
            "a strapping pin: its level at reset chooses how the chip starts": _pins(
                "0 2 5 12 15"
            ),
            "wired to the flash in the module": _pins("6-11"),
            "wired to the PSRAM in a WROVER module": _pins("16 17"),
            "the serial console": _pins("1 3"),
        },
    ),
    "esp32s3": Chip(
        name="ESP32-S3",
        source='ESP32-S3 Series Datasheet: "Pin Overview", "Strapping Pins", "ADC", "USB"; '
        'ESP32-S3-WROOM-1 Datasheet: "Pin Definitions"',
        image_id=9,
        flash_offset=0,
        exists=_pins("0-21 26-48"),
        input_only=frozenset(),
        adc1=_pins("1-10"),
        adc2=_pins("11-20"),
        rtc=_pins("0-21"),
        taken={
            "a strapping pin: its level at reset chooses how the chip starts": _pins("0 3 45 46"),
            "wired to the flash or the PSRAM in the module": _pins("26-32"),
            "wired to octal flash or PSRAM in the modules that have it": _pins("33-37"),
            "USB": _pins("19 20"),
            "the serial console": _pins("43 44"),
        },
    ),
    "esp32c3": Chip(
        name="ESP32-C3",
        source='ESP32-C3 Series Datasheet: "Pin Overview", "Strapping Pins", "ADC"; ESP32-C3 '
        'Series SoC Errata: "ADC2"',
        image_id=5,
        flash_offset=0,
        exists=_pins("0-21"),
        input_only=frozenset(),
        adc1=_pins("0-4"),
        adc2=_pins("5"),
        rtc=_pins("0-5"),
        taken={
            "a strapping pin: its level at reset chooses how the chip starts": _pins("2 8 9"),
            "wired to the flash in the module, or its supply": _pins("11-17"),
            "USB": _pins("18 19"),
            "the serial console": _pins("20 21"),
        },
    ),
}
