"""The report in a real browser: nothing in a text is run, pictures come, filters and pages work, it fits a phone."""

from __future__ import annotations

import shutil

import pytest
from report_ground import make_report

pytest.importorskip("selenium")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="needs Chromium and its driver")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    folder = tmp_path_factory.mktemp("browser")
    make_report(folder)
    options = ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = Chrome(options=options, service=Service(DRIVER))
    window.get((folder / "report.html").as_uri())
    yield window
    window.quit()


def shown(chrome):
    return [element for element in chrome.find_elements("css selector", ".example") if element.is_displayed()]


def choose(chrome, key, value):
    from selenium.webdriver.support.select import Select

    Select(chrome.find_element("css selector", f".inspector select[data-key={key}]")).select_by_value(value)


def test_nothing_in_a_text_is_run_and_nothing_goes_wrong(chrome):
    assert chrome.execute_script("return document.querySelectorAll('.example script').length") == 0
    assert chrome.get_log("browser") == []


def test_pictures_come_when_they_are_near(chrome):
    from selenium.webdriver.support.wait import WebDriverWait

    first = shown(chrome)[0]
    chrome.execute_script("arguments[0].scrollIntoView()", first)
    widths = "return [...arguments[0].querySelectorAll('img')].map((image) => image.naturalWidth)"
    assert WebDriverWait(chrome, 10).until(lambda window: window.execute_script(widths, first) == [32, 32, 32])


def test_filters_and_words(chrome):
    everything = len(shown(chrome))
    choose(chrome, "outcome", "right")
    assert 0 < len(shown(chrome)) < everything
    assert {element.get_attribute("data-outcome") for element in shown(chrome)} == {"right"}
    choose(chrome, "outcome", "")
    box = chrome.find_element("css selector", ".inspector input")
    box.send_keys("no such words anywhere")
    assert shown(chrome) == []
    box.clear()
    box.send_keys(" ")
    assert len(shown(chrome)) == everything


def test_a_phone_needs_no_scrolling_sideways(chrome):
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 390
