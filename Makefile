# Targets for working on coatcheck. `make help` lists them.
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 60s
BENCH    ?= .
# How long make chaos runs for each of the two kinds of invalidation.
CHAOSTIME ?= 150s
# Flags of make compare, such as -compare.full.
COMPARE  ?=
BUILD    := build

# go.work is there for "go run ./examples/shop". Here each module is built as its
# users get it.
export GOWORK = off

# Linters have a module file of their own: they are no dependency of users.
TOOL := $(GO) tool -modfile=tools.mod

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.PHONY: run
run: ## Run the service on http://127.0.0.1:7600 with ./coatcheck.db
	$(GO) run ./cmd/coatcheck serve

.PHONY: test
test: redis chromium wrk ## Run all tests with the race detector, and search their output for tokens
	@mkdir -p $(BUILD)
	$(GO) test -race -v ./... >$(BUILD)/test.log 2>&1 || status=$$?; \
	grep -E '^(ok|FAIL|---? FAIL|panic:)|^ +--- FAIL|\[no test files\]' $(BUILD)/test.log; \
	if [ "$${status:-0}" -ne 0 ]; then grep -vE '^=== |^ *--- PASS|^PASS' $(BUILD)/test.log | tail -n 200; exit $$status; fi
	$(GO) run ./internal/leakscan $(BUILD)/test.log
	cd benchmarks && $(GO) test ./...
	cd examples && COATCHECK_SCREENSHOTS=$(CURDIR)/$(BUILD)/screenshots $(GO) test -race -count=1 ./...

.PHONY: lint
lint: ## gofmt, go vet and staticcheck, in all modules
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) mod tidy -diff
	cd benchmarks && $(GO) vet ./... && $(GO) mod tidy -diff
	cd examples && $(GO) vet ./... && $(GO) mod tidy -diff

.PHONY: bench
bench: redis ## Measure each operation on each store beside the raw client call
	cd benchmarks && $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1s -timeout 60m .

.PHONY: growth
growth: redis ## Measure at growing sizes, and write docs/growth.json and docs/SCALE.md
	cd benchmarks && $(GO) test -v -count=1 -timeout 60m -run 'TestGrowth$$' . -growth.write

.PHONY: compare
compare: redis wrk ## Measure coatcheck beside other session systems, and write docs/COMPARISON.md
	cd benchmarks && $(GO) test -v -count=1 -timeout 60m -run '^TestCompare$$' ./compare -compare.write $(COMPARE)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default 60s)
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$target in $$pkg"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg || exit 1; \
		done; \
	done

.PHONY: chaos
chaos: redis ## Hold five minutes of real histories, with every fault there is, against the promises
	$(GO) test -v -count=1 -timeout 30m -run 'TestChaos|Seen$$' ./internal/chaos -chaos.for $(CHAOSTIME) -chaos.goroutines 16

.PHONY: model
model: ## Check the model of the near cache, and that each of its mutants fails
	@scripts/install-spin.sh
	docs/model/check.sh

.PHONY: redis
redis:
	@scripts/install-redis.sh

.PHONY: chromium
chromium:
	@scripts/install-chromium.sh

.PHONY: wrk
wrk:
	@scripts/install-wrk.sh
