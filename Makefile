# Every target works on a fresh machine with python3 (3.11 or newer) and make: it sets up .venv first, once.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Taken from make's command line only: shells and desktops export HOST and USERNAME for purposes of their own.
HOST = 127.0.0.1
PORT = 12000
DB = chat.db
WEB_PORT =
NAME =
CONTACT =
REGISTRATION =
TO =
KEEP =
SERVER = 127.0.0.1
USERNAME =
PROFILE =
MINUTES = 10
SERVICES = 2
SEED =
CERT =
KEY =
TLS =
CA =
CERTS = certs
NAMES =
CELL = all
BENCH =
PEER = ngircd
SECONDS = 60
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
# Checks the page's scripts; it asks nobody for anything.
DENO = NO_COLOR=1 DENO_NO_UPDATE_CHECK=1 $(BIN)/deno
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

# How the terminal is set; empty without one.
TERMINAL = $(shell [ -t 0 ] && [ -t 2 ] && stty -g)
# A client that was killed (kill -9) leaves it so that nothing typed is seen. Only who started the client can mend that.
RESTORE = [ "$$(stty -g)" = '$(TERMINAL)' ] || { \
	stty '$(TERMINAL)'; [ "$$TERM" = dumb ] || printf '\033[?2004l\033[?1l\033[?25h\033[0m\n\033[J' >&2; \
	echo 'The client was killed. The terminal is again as it was before.' >&2; exit 1; }
# A database of PostgreSQL needs a package more.
FOR_DB = $(VENV)/$(if $(filter postgresql://% postgres://%,$(DB)),postgres,run).stamp
# For the shell, such as O'Hara.
quote = '$(subst ','\'',$(1))'

help: ## show this help
	@echo 'make run_server [PORT=12000] [HOST=127.0.0.1] [DB=chat.db] [CERT=certs/cert.pem KEY=certs/key.pem]'
	@echo '                [WEB_PORT=8080] [NAME=chat] [CONTACT=<whom to ask>] [REGISTRATION=closed]'
	@echo 'make run_client [SERVER=127.0.0.1] [PORT=12000] [USERNAME=alice] [TLS=1] [CA=certs/cert.pem]'
	@echo 'make run_client PROFILE=work [USERNAME=alice]'
	@echo 'make init-db [DB=chat.db]'
	@echo 'make backup [DB=chat.db] [TO=backups/chat-<time>.db] [KEEP=14]'
	@echo
	@sed -n 's/^\([a-z_-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'

install: $(VENV)/run.stamp ## set up .venv with what the service and the client need

# At a terminal the two programs say themselves why they end, and then end with 0: make would add "Error 1". In a script,
# without a terminal, their status is not 0, and so is make's. See service/exits.py.
run_server run_client: export CHAT_UNDER_MAKE = 1

run_server: $(FOR_DB) ## start the chat service (Ctrl-C stops it)
	@exec $(BIN)/python -m service '$(PORT)' --host '$(HOST)' --db '$(DB)' \
		$(if $(NAME),--name $(call quote,$(NAME))) $(if $(CONTACT),--contact $(call quote,$(CONTACT))) \
		$(if $(REGISTRATION),--registration $(call quote,$(REGISTRATION))) \
		$(if $(CERT),--tls-cert '$(CERT)') $(if $(KEY),--tls-key '$(KEY)') \
		$(if $(WEB_PORT),--web-port '$(WEB_PORT)')

# Without SERVER and PORT on the command line it is the profile [default], if there is one.
NAMED = $(filter command,$(origin SERVER) $(origin PORT))
WHERE = $(if $(PROFILE),--profile '$(PROFILE)',$(if $(NAMED),,--fallback )'$(SERVER)' '$(PORT)')

run_client: $(VENV)/run.stamp ## chat in this terminal
	$(if $(TERMINAL),-)@exec $(BIN)/python -m client $(WHERE) \
		$(if $(USERNAME),'$(USERNAME)') $(if $(TLS),--tls) $(if $(CA),--tls-ca '$(CA)')
	$(if $(TERMINAL),@$(RESTORE))

init-db: $(FOR_DB) ## make the database, or upgrade an older one
	@exec $(BIN)/python -m service.admin init-db '$(DB)'

backup: $(VENV)/run.stamp ## copy the database to a file, also while the service runs
	@exec $(BIN)/python -m service.admin backup --db '$(DB)' $(if $(TO),'$(TO)') $(if $(KEEP),--keep '$(KEEP)')

certs: $(VENV)/run.stamp ## make a certificate and its key, to speak TLS [CERTS=certs] [NAMES='chat.example 192.0.2.1']
	@exec $(BIN)/python -m service.admin certs '$(CERTS)' $(foreach name,$(NAMES),--name '$(name)')

# Two at a time, as most of them wait for programs that they start; those of a file together, for what they share.
test: $(VENV)/dev.stamp ## run the tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m 'not postgres'
	@$(DENO) test --quiet --no-remote --no-prompt

test-postgres: $(VENV)/dev.stamp ## run those that concern the storage on PostgreSQL (Debian: apt install postgresql)
	@ENGINE=postgres $(BIN)/python -m pytest -rs --numprocesses 2 --dist loadfile -m '(engines and not sqlite) or postgres'

postgres: $(VENV)/postgres.stamp ## start a PostgreSQL to try things with, in the folder .postgres (Ctrl-C stops it)
	@exec $(BIN)/python -m tests.support.postgres

test-browsers: $(VENV)/browsers.stamp ## test the page in Chromium and Firefox (Debian: apt install chromium firefox-esr)
	@$(BIN)/python -m pytest -rs --numprocesses 2 --dist loadfile tests/browsers

soak-web: $(VENV)/browsers.stamp ## kill the service fifty times while the page in a browser sends
	@KILLS=50 $(BIN)/python -m pytest -rs --timeout 900 tests/browsers/test_kill.py

pictures: $(VENV)/browsers.stamp ## take pictures of the page in its states, to be looked at, into the folder pictures
	@$(BIN)/python -m tests.browsers.pictures pictures

screens: $(VENV)/dev.stamp ## write tests/system/screens anew: what people see; look at what changed
	@REFRESH_SCREENS=1 $(BIN)/python -m pytest tests/system/test_screens.py tests/system/test_full_screens.py

soak: $(VENV)/dev.stamp ## let 200 clients come, drop and return, and kill the service meanwhile [MINUTES=10] [SEED=1]
	@$(BIN)/python -m tests.system.soak '$(MINUTES)' $(if $(SEED),'$(SEED)')

soak-postgres: $(VENV)/dev.stamp ## the same with several services, and PostgreSQL killed, too [SERVICES=2] [MINUTES=10]
	@$(BIN)/python -m tests.system.soak '$(MINUTES)' $(if $(SEED),'$(SEED)') --services '$(SERVICES)'

lint: $(VENV)/dev.stamp ## check style (ruff), types (mypy), imports (import-linter) and the page (deno)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(DENO) lint --quiet
	@$(DENO) fmt --quiet --check
	@$(DENO) check --quiet service/listeners/web/page/*.js
	@$(DENO) check --quiet tests/page/*.js

format: $(VENV)/dev.stamp ## put the code into the house's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(DENO) fmt --quiet

bench: $(VENV)/bench.stamp ## measure all, beside ngircd where it is installed [CELL=fan100] [PEER=none] [BENCH=all]
	@$(BIN)/python -m benchmarks '$(CELL)' '$(PEER)' $(if $(BENCH),'$(BENCH)')

scale-model: $(VENV)/bench.stamp ## say what breaks first with many services over one PostgreSQL, from figures of this machine
	@$(BIN)/python -m benchmarks.scale

attacks: $(VENV)/run.stamp ## attack a service of our own within this machine, and time what others suffer [CELL=pages]
	@$(BIN)/python -m benchmarks.attacks '$(CELL)'

profile: $(VENV)/bench.stamp ## show where the service's time goes under load [CELL=fan100]
	@$(BIN)/python -m benchmarks.profile '$(CELL:all=fan100)'

fuzz: $(VENV)/fuzz.stamp ## throw bytes at the codec, in search of some that break it [SECONDS=60]
	@$(BIN)/python -m tests.system.fuzz_codec .fuzz/corpus -artifact_prefix=.fuzz/ -max_total_time='$(SECONDS)' \
		-verbosity=0 -print_final_stats=1

dist: $(VENV)/dev.stamp ## build a wheel and an sdist, into the folder dist
	@rm -rf dist
	@$(BIN)/python -m uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist .
	@ls dist/*

lock: $(VENV)/dev.stamp ## pin the newest allowed packages with their hashes
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --quiet --extra web pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --quiet --extra web --extra postgres -c requirements.txt pyproject.toml -o requirements-postgres.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --quiet requirements-dev.in -o requirements-dev.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --quiet requirements-bench.in -o requirements-bench.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --quiet requirements-browsers.in -o requirements-browsers.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --quiet requirements-fuzz.in -o requirements-fuzz.txt

clean: ## remove .venv and caches (never a database)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .fuzz dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The version and venv checks come before anything is made, so that each failure is one line that says what to install.
$(VENV)/venv.stamp:
	@command -v '$(PYTHON)' >/dev/null 2>&1 || { \
		echo "No $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than 3.11. Install Python 3.11 or newer, or name it: make PYTHON=python3.11" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing. Install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@'$(PYTHON)' -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements.txt | $(VENV)/venv.stamp
	@echo 'Setting up $(VENV) (once; needs the network) ...'
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/postgres.stamp: requirements-postgres.txt $(VENV)/run.stamp | $(VENV)/venv.stamp
	@echo 'Adding what speaks to PostgreSQL to $(VENV) (once; needs the network) ...'
	@$(PIP) -r requirements-postgres.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/postgres.stamp | $(VENV)/venv.stamp
	@echo 'Adding the test tools to $(VENV) (once; needs the network) ...'
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/bench.stamp: requirements-bench.txt $(VENV)/postgres.stamp | $(VENV)/venv.stamp
	@echo 'Adding the benchmark tools to $(VENV) (once; needs the network) ...'
	@$(PIP) -r requirements-bench.txt
	@touch $@

$(VENV)/browsers.stamp: requirements-browsers.txt $(VENV)/dev.stamp | $(VENV)/venv.stamp
	@echo 'Adding what drives browsers to $(VENV) (once; needs the network) ...'
	@$(PIP) -r requirements-browsers.txt
	@touch $@

# atheris has packages for some systems and versions of Python only.
$(VENV)/fuzz.stamp: requirements-fuzz.txt $(VENV)/run.stamp | $(VENV)/venv.stamp
	@echo 'Adding the fuzzer to $(VENV) (once; needs the network) ...'
	@$(PIP) -r requirements-fuzz.txt 2>$(VENV)/fuzz.log || { \
		echo "atheris does not install here ($(VENV)/fuzz.log says why); it needs Linux and CPython 3.11 to 3.14" >&2; exit 1; }
	@touch $@

.PHONY: help install run_server run_client init-db backup certs test test-postgres postgres test-browsers soak-web pictures screens soak soak-postgres lint format bench scale-model attacks profile fuzz dist lock clean
