"""Simulate an annotator in headless Chromium: real clicks and keys on the real page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from annotation.label_studio.home import Credentials

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


class Annotator:
    """One browser window, logged in."""

    def __init__(self, url: str, credentials: Credentials, profile: Path, width: int = 1366, height: int = 768) -> None:
        self.url = url
        options = ChromeOptions()
        browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if browser is None or driver is None:
            raise FileNotFoundError("these tests need Chromium: apt-get install chromium chromium-driver")
        options.binary_location = browser
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        self.chrome = Chrome(options=options, service=Service(driver))
        self.resize(width, height)
        self.wait: WebDriverWait[Chrome] = WebDriverWait(self.chrome, 60)
        self.chrome.get(f"{url}/user/login")
        self.chrome.find_element(By.NAME, "email").send_keys(credentials.user)
        self.chrome.find_element(By.NAME, "password").send_keys(credentials.password)
        self.chrome.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        self.wait.until(lambda chrome: "/user/login" not in chrome.current_url)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page's area, in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, project: int, dismiss: bool = True) -> None:
        """Open the next task of a project, as for an annotator, and close the instructions that appear first."""
        self.chrome.get(f"{self.url}/projects/{project}/data?labeling=1")
        self.all(".ej-page", at_least=1)
        if not dismiss:
            return
        self.dismiss()
        self.rest(".ej-flags")
        self.loaded()

    def loaded(self) -> None:
        """Wait until all images are loaded."""
        self.wait.until(lambda _: self.ask("return [...document.querySelectorAll('.ej-small')].every(i => i.complete)"))

    def dismiss(self) -> None:
        """Close the modal window."""
        self.all("[class*=modal]", at_least=1)
        ActionChains(self.chrome).send_keys(Keys.ESCAPE).perform()
        self.wait.until(lambda _: not self.all("[class*=modal]"))

    def ask(self, script: str, *arguments: Any) -> Any:
        """Run a script and return its result."""
        return self.chrome.execute_script(script, *arguments)

    def all(self, selector: str, at_least: int = 0) -> list[WebElement]:
        """Return elements of the page, once there are at least as many."""
        if at_least:
            self.wait.until(lambda chrome: len(chrome.find_elements(By.CSS_SELECTOR, selector)) >= at_least)
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def rest(self, selector: str, place: int = 0) -> WebElement:
        """Move the mouse onto an element."""
        element = self.all(selector, at_least=place + 1)[place]
        ActionChains(self.chrome).move_to_element(element).perform()
        return element

    def choose(self, dimension: str, number: int, tier: int) -> None:
        """Click a tier."""
        self.all(f"label:has(input[name='{dimension}_{number}_{tier}'])", at_least=1)[0].click()

    def chosen(self) -> set[str]:
        """Return names of the selected answers, such as `overall_3_1` for candidate 3 in tier 1."""
        names = self.ask("return [...document.querySelectorAll('.ant-radio-wrapper-checked input')].map(i => i.name)")
        return set(names)

    def press(self, key: str, modifier: str | None = None) -> None:
        """Press a key, optionally while holding another."""
        chain = ActionChains(self.chrome)
        if modifier is not None:
            chain.key_down(modifier)
        chain.send_keys(key)
        if modifier is not None:
            chain.key_up(modifier)
        chain.perform()

    def submit(self) -> None:
        """Click the page's Submit button."""
        buttons = [button for button in self.all("button") if button.text.strip() == "Submit"]
        buttons[0].click()

    def task(self) -> int | None:
        """Return the id of the task on the page; None on a page without one."""
        found = self.all(".lsf-current-task__task-id")
        return int(re.sub(r"\D", "", found[0].text)) if found else None

    def left(self, task: int) -> bool:
        """Wait until the page shows another task."""
        return bool(self.wait.until(lambda _: self.task() != task))
