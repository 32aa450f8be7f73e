"""The simulator's page in a real browser, used as the customer and a tester use it."""

import pytest
from browser import INSTALL, look, start
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 15
# The lowest contrast of any visible text with what is behind it, as WCAG 2 computes it.
LOWEST_CONTRAST = """
const channel = (v) => (v /= 255, v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
function behind(node) {
  for (; node; node = node.parentElement) {
    const colour = parse(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
}
let worst = [99, ""];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  const text = walk.currentNode.nodeValue.trim();
  if (!text || !node.checkVisibility() || node.closest("svg")) continue;
  const a = light(parse(getComputedStyle(node).color)), b = light(behind(node));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < worst[0]) worst = [ratio, text];
}
return worst;
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    driver = start(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


class Page:
    """The page of one device: what a person sees and presses."""

    def __init__(self, driver, device):
        self.driver, self.device = driver, device
        self.driver.get(device.sim.ready["control"])
        self.until(lambda: self.driver.find_element(By.ID, "link").text == "live")
        self.driver.execute_script("window.neverReloaded = true")

    def lane(self):
        path = f"//article[contains(., '{self.device.serial} ·')]"
        return self.driver.find_element(By.XPATH, path)

    def mails(self):
        path = f"//ol[@id='mails']/li[contains(., '{self.device.serial}')]"
        return self.driver.find_elements(By.XPATH, path)

    def press(self, within, name):
        within.find_element(By.XPATH, f".//button[normalize-space()='{name}']").click()

    def press_clock(self, name):
        self.press(self.driver.find_element(By.ID, "clock"), name)

    def until(self, holds):
        WebDriverWait(self.driver, WAIT_S, 0.03).until(lambda _: holds())

    def until_lane_says(self, text):
        self.until(lambda: text in self.lane().text)

    def until_mail_says(self, text):
        self.until(lambda: self.mails() and text in self.mails()[0].text)

    def was_reloaded(self):
        return not self.driver.execute_script("return window.neverReloaded === true")

    def focused(self):
        return self.driver.switch_to.active_element

    def key(self, *keys):
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def tab_to(self, name):
        for _ in range(400):
            self.key(Keys.TAB)
            if self.focused().text == name:
                return self.focused()
        raise AssertionError(f"Tab never came to {name}")


@pytest.fixture
def page(sim, chromium):
    look(chromium, 1360, "light")
    shown = Page(chromium, sim.device())
    yield shown
    assert not shown.was_reloaded()
    assert [line for line in chromium.get_log("browser") if line["level"] == "SEVERE"] == []


def detail(device):
    return device.replenish().raise_for_status().json()["detailCode"]


# The seed's flows, by clicking.


def test_successful_flow(page):
    page.until_lane_says("No order yet")
    page.device.order()
    page.until_lane_says("Placed, can be cancelled")
    page.until_mail_says("Your order was created")
    page.until_lane_says("The maker was told: OrderPlaced Mon 4 Jan")
    assert detail(page.device) == "ORDER_INPROGRESS"
    page.press_clock("+24 h")
    page.until_lane_says("Being packed")
    page.press_clock("+24 h")
    page.until_lane_says("On its way")
    page.until_mail_says("Your order has shipped")
    page.press_clock("+72 h")
    page.until_lane_says("Delivered")
    page.device.refresh()
    assert detail(page.device) == "STANDARD_ORDER_PLACED"
    page.until_lane_says("Earlier orders (1)")


def test_scenario_1_the_customer_does_not_solve_it(page):
    page.press(page.lane(), "Address")
    page.until(lambda: page.device.sim.state()["slots"][-1]["next_problem"] == "address")
    page.device.order()
    page.until_lane_says("The customer is being asked")
    page.until_lane_says("The maker was told: nothing yet")
    page.until_mail_says("Your order needs attention")
    assert detail(page.device) == "ORDER_INPROGRESS"
    page.press_clock("+72 h")
    page.until_lane_says("Cancelled: not solved in time")
    page.until_lane_says("The maker was told: OrderCancelled")
    page.until_mail_says("Your order was cancelled")
    page.device.refresh()
    assert detail(page.device) == "STANDARD_ORDER_PLACED"
    page.until_lane_says("Placed, can be cancelled")


def test_scenario_2_the_customer_solves_it(page):
    page.press(page.lane(), "Payment")
    page.until(lambda: page.device.sim.state()["slots"][-1]["next_problem"] == "payment")
    page.device.order()
    page.until_mail_says("Fix the payment method")
    page.until_lane_says("The maker was told: nothing yet")
    page.press_clock("+24 h")
    page.until_lane_says("1 d 23 h left")
    page.press(page.mails()[0], "Fix the payment method")
    page.until_lane_says("Placed, can be cancelled")
    page.until_lane_says("The maker was told: OrderPlaced")
    page.until_mail_says("Your order was created")
    page.device.refresh()
    assert detail(page.device) == "ORDER_INPROGRESS"
    page.press(page.mails()[0], "Cancel the order")
    page.until_lane_says("Cancelled")
    page.until_mail_says("As you asked")
    assert detail(page.device) == "STANDARD_ORDER_PLACED"


# Switches.


def test_auto_reorder_off_and_on(page):
    switch = page.lane().find_element(By.CSS_SELECTOR, ".switch")
    switch.click()
    page.until(lambda: switch.get_attribute("aria-pressed") == "false")
    assert "is unsubscribed" in page.device.replenish().text
    switch.click()
    page.until(lambda: switch.get_attribute("aria-pressed") == "true")
    assert detail(page.device) == "STANDARD_ORDER_PLACED"


def test_warehouse_ships_and_delivers(page):
    page.device.order()
    page.until_lane_says("Ship now")
    page.press(page.lane(), "Ship now")
    page.until_lane_says("On its way")
    page.press(page.lane(), "Deliver now")
    page.until_lane_says("Delivered")


def test_faults_are_set_and_cleared(page):
    faults = page.driver.find_element(By.ID, "faults")
    page.press(faults, "Order answers 500")
    page.press(faults, "Half an answer")
    page.until(lambda: "close-during" in faults.text)
    assert page.device.replenish().status_code == 500
    page.until(lambda: '"status": 500' not in faults.text)
    page.press(faults, "Clear all faults")
    page.until(lambda: "No fault is set" in faults.text)
    assert detail(page.device) == "STANDARD_ORDER_PLACED"


def test_clock_pauses_and_changes_speed(page):
    clock = page.device.sim.control
    page.press_clock("Pause")
    page.until(lambda: clock.get("/clock").json()["paused"])
    page.until(lambda: page.driver.find_elements(By.XPATH, "//button[.='Run']"))
    page.press_clock("1 min/s")
    page.until(lambda: clock.get("/clock").json()["speed"] == 60)
    page.press_clock("real time")
    page.until(lambda: clock.get("/clock").json()["speed"] == 1)
    page.press_clock("Run")
    page.until(lambda: not clock.get("/clock").json()["paused"])


# Live, and quiet about it.


def test_wire_log_shows_both_sides_and_no_secret(page):
    device = page.device
    device.refresh()
    page.until(lambda: "/auth/o2/token" in page.driver.find_element(By.ID, "requests").text)
    row = page.driver.find_element(By.CSS_SELECTOR, "#requests > li")
    row.find_element(By.TAG_NAME, "summary").click()
    device.order()
    page.until(lambda: "STANDARD_ORDER_PLACED" in page.driver.find_element(By.ID, "wire").text)
    assert row.find_element(By.TAG_NAME, "details").get_attribute("open") is not None
    assert "grant_type=refresh_token" in row.text and "client_secret=•••" in row.text
    assert '"access_token":"•••"' in row.text
    source = page.driver.page_source
    for secret in (device.token, *device.account.values()):
        if not isinstance(secret, str) or len(secret) < 40 or "client." in secret:
            continue
        assert secret[5:45] not in source
    assert "Bearer •••" in source and "Atza|" not in source


def test_update_keeps_focus_and_place(page):
    switch = page.lane().find_element(By.CSS_SELECTOR, ".switch")
    page.driver.execute_script("arguments[0].focus()", switch)
    page.device.order()
    page.until_lane_says("Placed, can be cancelled")
    assert page.focused() == switch


def test_news_is_said_to_a_screen_reader(page):
    page.device.order()
    said = page.driver.find_element(By.ID, "said")
    assert said.get_attribute("aria-live") == "polite"
    page.until(lambda: said.text == "E-mail to the customer: Your order was created")


def test_keyboard_only(page):
    page.device.next_problem("stock")
    page.device.order()
    page.until_mail_says("Your order needs attention")
    before = page.device.sim.control.get("/clock").json()["now_s"]
    hour = page.tab_to("+1 h")
    assert hour.value_of_css_property("outline-style") == "solid"
    page.key(Keys.ENTER)
    page.until(lambda: page.device.sim.control.get("/clock").json()["now_s"] >= before + 3600)
    assert page.focused() == hour
    page.tab_to("Choose another product")
    page.key(Keys.SPACE)
    page.until_lane_says("Placed, can be cancelled")
    page.until(lambda: page.focused().tag_name == "h3")
    assert page.focused().text == "Your order needs attention"


# Looks.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_looks(page, width, scheme):
    page.device.next_problem("payment")
    page.device.order()
    look(page.driver, width, scheme)
    page.until_lane_says("The customer is being asked")
    run = page.driver.execute_script
    assert run("return document.documentElement.scrollWidth") <= width
    right = "return Math.max(...[...document.querySelectorAll('button, pre, h3, .pill')]"
    assert run(right + ".map((node) => node.getBoundingClientRect().right))") <= width
    contrast, text = run(LOWEST_CONTRAST)
    assert contrast >= 4.5, text
    ground = run("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(243, 245, 243)", "dark": "rgb(15, 21, 20)"}[scheme]


def test_a_missing_browser_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match=INSTALL):
        start(tmp_path)
