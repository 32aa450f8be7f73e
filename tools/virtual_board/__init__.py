"""A virtual ESP32: the real MicroPython on a littlefs image, behind a serial port."""
