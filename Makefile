# Lowtide. `make help` lists the targets; every one sets up what it needs.
PY := .venv/bin/python
READY := .venv/.ready
BOARD ?= host
PORT ?=
CERT ?=
# Of the virtual board. Registered, it wants more for `make dev`: the mounted folder takes some.
HEAP ?= 128k
# Instead of the modules that boot.py has loaded from flash, those of the mounted folder.
DEV := import sys; sys.path.insert(0, '/remote'); \
  [sys.modules.pop(m) for m in list(sys.modules) if (m + '.').startswith(('hal.', 'lowtide.'))]; \
  import app; app.run()
CERTS = $(addprefix --cert ,$(CERT))
FILE ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lowtide needs Python 3.11")'
	@echo "setting up .venv (once)"
	@test -x $(PY) || python3 -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check pip==26.3
	@$(PY) -m pip install -q --disable-pip-version-check --group dev
	@touch $@

demo: $(READY) ## the main job: the agent on the virtual board through every flow of the service
	@$(PY) -m tools.demo

# The simulator's page is tested in a real browser; only Debian's own package needs no download.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  echo "installing Chromium for the page's tests (once)"; \
	  $(if $(filter 0,$(shell id -u)),,sudo) sh -c 'apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null'; }

test: $(READY) browser ## every test, on CPython and on the real MicroPython
	@$(PY) -m pytest -n 3 --dist worksteal

sim: $(READY) ## the DRS simulator, until Ctrl-C
	@mkdir -p build
	@$(PY) -m tools.drs_sim --port 18443 --control-port 18080 --ntp-port 18123 \
	  --state build/sim.db --ready build/sim.json --demo-device $(addprefix --host ,$(HOST))

board: $(READY) ## the virtual board on build/board, beside `make sim`, until Ctrl-C
	@mkdir -p build; test -e build/level || echo 0.5 > build/level
	@test -e build/sim.json || { echo "start 'make sim' in another terminal first"; exit 1; }
	@echo "serial port: $(CURDIR)/build/board"
	@$(PY) -m tools.virtual_board --flash build/flash.img --link build/board --level build/level \
	  --heap $(HEAP) --ready build/board.json \
	  --clock-from $$($(PY) -c 'import json; print(json.load(open("build/sim.json"))["control"])')

port:
	@test -n "$(PORT)" || { echo "say which port: make $(MAKECMDGOALS) PORT=/dev/ttyUSB0$(if \
	$(filter console provision,$(MAKECMDGOALS)),, BOARD=$(patsubst host,ESP32_GENERIC,$(BOARD))), or PORT=build/board"; \
	exit 2; }

image: $(READY) ## build/BOARD.img, the flash volume of BOARD=, with the root certificates CERT=
	@$(PY) -m tools.image build --board $(BOARD) --out build/$(BOARD).img $(CERTS) \
	  $(addprefix --defaults ,$(DEFAULTS)) $(addprefix --flash-mib ,$(FLASH_MIB))

flash: $(READY) port ## write MicroPython (FIRMWARE=, its SHA256=) and the volume to the board on PORT=
	@test -n "$(FIRMWARE)" || { echo "say which MicroPython: FIRMWARE=file.bin (README)"; exit 2; }
	@$(PY) -m tools.flash --port $(PORT) --board $(BOARD) --firmware $(FIRMWARE) $(CERTS) \
	  $(addprefix --defaults ,$(DEFAULTS)) $(addprefix --sha256 ,$(SHA256)) \
	  $(addprefix --flash-mib ,$(FLASH_MIB)) $(if $(DRY),--dry-run)

deploy: $(READY) port ## bring the firmware to the board on PORT=: what changed, all or nothing
	@$(PY) -m tools.deploy --port $(PORT) --board $(BOARD) $(CERTS)

dev: $(READY) port ## run the agent on the board on PORT= from this computer's files; nothing is written (Ctrl-] leaves)
	@$(PY) -m tools.port $(PORT)
	@$(PY) -m tools.image stage --board $(BOARD) --out build/dev-$(BOARD)
	@$(PY) -m tools.prompt $(PORT)
	@$(PY) -m mpremote connect $(PORT) mount build/dev-$(BOARD) exec --no-follow "$(DEV)" \
	  repl umount reset

hil: $(READY) port ## test the board on PORT=; it is deployed to, reset and put to sleep
	@$(PY) -m tools.port $(PORT)
	@LOWTIDE_PORT=$(PORT) LOWTIDE_BOARD=$(BOARD) LOWTIDE_CERT="$(CERT)" LOWTIDE_TLS=$(TLS) \
	  LOWTIDE_WIFI="$(WIFI)" $(PY) -m pytest -v -rfs --tb=short host_tests/hil

console: $(READY) port ## the serial console of the board on PORT= (Ctrl-] leaves)
	@$(PY) -m tools.port $(PORT)
	@echo "console of $(PORT): Enter shows the prompt, Ctrl-] leaves; silent? it may sleep:\
	 press its reset button"
	@$(PY) -m mpremote connect $(PORT) resume repl

settings:
	@test -n "$(FILE)" || { echo "say which settings: make provision PORT=\"$(PORT)\"\
	 FILE=tools/provision/example.toml [CSV=FILE]"; exit 2; }

provision: port settings $(READY) ## apply FILE= [CSV= SECRETS= REPORT= REGISTER=1 REDIRECT_PORT= AGAIN=1] to the boards on PORT="a b c"
	@$(PY) -m tools.provision $(FILE) --port $(PORT) $(addprefix --csv ,$(CSV)) \
	  $(addprefix --secrets ,$(SECRETS)) $(addprefix --report ,$(REPORT)) $(if $(REGISTER),--register) \
	  $(addprefix --redirect-port ,$(REDIRECT_PORT)) $(if $(AGAIN),--again)

prove: $(READY) ## everything exhaustive: interleavings, power cuts, a line cut at each byte, ten years; half an hour
	@$(PY) -m host_tests.prove

policy: $(READY) ## a thousand simulated dispensers for two years: table, and build/policy.svg
	@$(PY) -m tools.policy

size: $(READY) ## what each module takes: lines, bytes in flash, heap; held to its ceilings
	@$(PY) -m tools.footprint

bench: $(READY) ## what it costs beside others, in one table: store, uplink, wake, size; three minutes
	@$(PY) -m tools.bench

lint: $(READY) ## ruff: style, complexity, formatting
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

types: $(READY) ## mypy: the firmware against the ESP32 port's stubs
	@test -d typings/stdlib || $(PY) -m pip install -q --disable-pip-version-check \
	  --target typings micropython-esp32-stubs==1.29.0.post1 micropython-stdlib-stubs==1.29.0.post2
	@$(PY) -m mypy

check: lint types test ## lint, types and test

clean: ## remove build output and the virtual environment
	rm -rf .venv build typings

.PHONY: help demo browser test sim board port image flash deploy dev hil console settings provision prove policy size bench lint types check clean
.DEFAULT_GOAL := help
