# make demo: the page.  make test: all tests (some: TESTS=tests/store).  make check: linters and types.
# make test-contract: LMDeploy's own server, without a GPU.  make fuzz: a minute for each fuzzer.
# make bare: the first two on a bare Debian.  make downloads: how much a first start brings.
# make demo MODEL=mini-2b: the page with that model, which is downloaded first.
# make demo ENDPOINT=http://HOST:PORT: the page alone before a model server, without torch.
# TORCH_INDEX_URL=...: take torch from that index, such as PyTorch's own for CPUs, which brings no CUDA.
# Each installs what it needs, from nothing but Debian and Python.
PORT ?= 7860
PYTHON ?= python3
VENV := .venv
CONTRACT := .venv-contract
PAGE := .venv-page
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: demo install test test-contract check fuzz bare examples screenshots opening downloads clean

ifdef ENDPOINT
demo: $(PAGE)/installed
	$(PAGE)/bin/python app.py --port $(PORT) --endpoint $(ENDPOINT)
else
demo: install
	$(BIN)/python app.py --port $(PORT) $(if $(MODEL),--model $(MODEL))
endif

install: $(VENV)/installed

%/bin/pip:
	$(PYTHON) -m venv $* || { $(SUDO) apt-get update && $(SUDO) apt-get install -y python3-venv && $(PYTHON) -m venv $*; }

TORCH = "$$(grep ^torch== requirements.txt)"
$(VENV)/installed: requirements.txt | $(BIN)/pip
	$(if $(TORCH_INDEX_URL),$(BIN)/pip install --quiet --index-url $(TORCH_INDEX_URL) $(TORCH))
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

# What the page needs is all but the model's own libraries.
$(PAGE)/requirements.txt: requirements.txt | $(PAGE)/bin/pip
	grep -vE '^(torch|transformers)\b' requirements.txt > $@

$(PAGE)/installed: $(PAGE)/requirements.txt
	$(PAGE)/bin/pip install --quiet -r $<
	touch $@

$(VENV)/installed-tests: $(VENV)/installed tests/requirements.txt
	$(BIN)/pip install --quiet -r tests/requirements.txt
	touch $@

# Typefaces draw the miniature's world; curl runs the calls of the inspector and of docs/http.md. Playwright's own node
# wants libatomic1, which a bare Debian lacks.
FONTS := $(addprefix /usr/share/fonts/truetype/,noto/NotoColorEmoji.ttf dejavu/DejaVuSerif.ttf liberation/LiberationMono-Bold.ttf)
TOOLS := /usr/bin/chromium /usr/bin/curl $(FONTS)
$(TOOLS) &:
	$(SUDO) apt-get update
	$(SUDO) apt-get install -y --no-install-recommends chromium curl libatomic1 \
	  fonts-noto-color-emoji fonts-dejavu-core fonts-liberation

test: $(VENV)/installed-tests $(TOOLS)
	$(BIN)/python -m pytest -n 2 --dist loadscope $(TESTS)

# LMDeploy's own server, without a GPU, in an environment of its own; and HAProxy before two of them.
$(CONTRACT)/installed: tests/contract/requirements.txt
	$(PYTHON) -m venv $(CONTRACT)
	$(CONTRACT)/bin/pip install --quiet -r tests/contract/requirements.txt
	$(CONTRACT)/bin/pip install --quiet --no-deps lmdeploy==0.18.0
	touch $@

/usr/sbin/haproxy:
	$(SUDO) apt-get update
	$(SUDO) apt-get install -y --no-install-recommends haproxy

test-contract: $(VENV)/installed-tests $(CONTRACT)/installed $(TOOLS) /usr/sbin/haproxy
	$(BIN)/python -m pytest tests/contract

check: $(VENV)/installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/oxlint --deny-warnings internvl_demo tests

# What reads foreign bytes, with inputs of a coverage-guided fuzzer.
SECONDS ?= 60
fuzz: $(VENV)/installed-tests
	$(BIN)/pip install --quiet -r tests/fuzz/requirements.txt
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

# Both commands of the README where nothing else is installed; a part of the tests: BARE_TESTS="tests/store".
/usr/sbin/debootstrap:
	$(SUDO) apt-get update
	$(SUDO) apt-get install -y --no-install-recommends debootstrap

bare: /usr/sbin/debootstrap
	$(SUDO) BARE_TESTS="$(BARE_TESTS)" .ci/bare

examples: $(VENV)/installed $(FONTS)
	$(BIN)/python -m internvl_demo.nano.examples

CHINESE := /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
$(CHINESE):
	$(SUDO) apt-get update
	$(SUDO) apt-get install -y --no-install-recommends fonts-noto-cjk

screenshots: $(VENV)/installed-tests $(TOOLS) $(CHINESE)
	$(BIN)/python -m tests.support.screenshots

# How long a stranger waits for the page, and how much comes over the line.
opening: $(VENV)/installed-tests $(TOOLS)
	$(BIN)/python -m tests.support.opening

# Megabytes of packages that a first `make demo` and `make demo ENDPOINT=...` bring on this machine.
downloads: $(VENV)/installed $(PAGE)/requirements.txt
	for list in requirements.txt $(PAGE)/requirements.txt; do \
	  rm -rf runs/downloads && $(BIN)/pip download --quiet --no-cache-dir -d runs/downloads -r $$list && \
	  du -sm runs/downloads | sed "s,runs/downloads,MB for $$list,"; done; rm -rf runs/downloads

clean:
	rm -rf $(VENV) $(PAGE) $(CONTRACT) .pytest_cache .ruff_cache .mypy_cache .hypothesis
