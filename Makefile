# The ways into this repository, one line each; what a target does is in the script of its name.
# Everything builds under build/<preset> with the presets of CMakePresets.json.
.PHONY: help run check gpu-check gpu-bench gpu-patterns bench-setup bench fuzz format lint gate coverage package clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## install what is missing, build, run the flight-delays job, show its result and account
	@scripts/run-job

check: ## install what is missing, build, run every test
	@scripts/setup build test
	cmake --preset release
	cmake --build --preset release
	ctest --preset release

gpu-check: ## on a machine with a GPU and the CUDA toolkit: build and run what proves the CUDA backend
	@scripts/gpu-check

gpu-bench: ## on such a machine: measure the CUDA backend beside bare programs; SAVE=FOLDER keeps raw results
	@scripts/gpu-bench $(if $(SAVE),--save $(SAVE)) $(if $(ONLY),--only '$(ONLY)')

gpu-patterns: ## and the patterns: PageRank beside a launch for each step, inference, building blocks, stealing
	@scripts/gpu-patterns $(if $(SAVE),--save $(SAVE)) $(if $(ONLY),--only '$(ONLY)')

bench-setup: ## install what only the benchmarks need
	@scripts/setup build bench

bench: ## build and run the benchmarks against the peers that are installed; SAVE=FOLDER keeps raw results
	@scripts/bench $(if $(SAVE),--save $(SAVE))

fuzz: ## fuzz every parser, SECONDS each (600 unless set)
	@scripts/fuzz $(SECONDS)

format: ## format the sources in place
	@scripts/format

lint: ## clang-tidy and cppcheck over src
	@scripts/lint

gate: ## compile every kernel with every compiler at hand
	@scripts/gate

coverage: ## run every test and report the lines that ran; fails under 90 %
	@scripts/coverage

package: ## make the .deb and the .tar.gz in build/release
	cmake --preset release
	cmake --build --preset release
	cd build/release && cpack

clean: ## remove everything that was built
	rm -rf build
