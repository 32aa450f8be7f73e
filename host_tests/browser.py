"""Chromium for tests, driven through its own driver; nothing is fetched from anywhere."""

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

INSTALL = "apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver"
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage"
)


def start(profile) -> webdriver.Chrome:
    """Return a browser with a fresh profile. Where there is none the test fails, loudly."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.fail(f"the page is tested in Chromium, which is missing here: {INSTALL}")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS.split(), f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


def look(browser, width: int, scheme: str, height: int = 1000) -> None:
    """Show the page as a screen of that width, with that colour scheme, shows it."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    scheme = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
