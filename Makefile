# `make` lists the targets. GNU make 3.81 or newer.

GO ?= go
# What the binary says it is.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# More arguments for every `go test`, as in: make test TESTFLAGS='-run Sync -v'
TESTFLAGS ?=
# How many random histories `make simulate` plays.
SEEDS ?= 200

BUILDFLAGS = -ldflags '-X main.version=$(VERSION)'
# Tools run from Go's build cache: built once, in the versions that go.mod and internal/tools/lint/go.mod pin.
GOLANGCI_LINT = $(GO) tool -modfile=internal/tools/lint/go.mod golangci-lint

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build postgres ## show roompulse at work on an invented portal, no account needed
	bin/roompulse demo

.PHONY: build
build: go ## build bin/roompulse
	$(GO) build $(BUILDFLAGS) -o bin/roompulse ./cmd/roompulse

.PHONY: install
install: go ## install roompulse into Go's folder for programs (GOBIN, else GOPATH/bin)
	$(GO) install $(BUILDFLAGS) ./cmd/roompulse

.PHONY: test
test: go chromium $(if $(ROOMPULSE_TEST_DATABASE_URL),,postgres) ## run the tests, on a private PostgreSQL or on ROOMPULSE_TEST_DATABASE_URL
	$(GO) test $(TESTFLAGS) ./...

.PHONY: check
check: generated lint test ## everything a change must pass

.PHONY: check-long
check-long: check simulate ## check, then the race detector and many more simulated histories
	$(GO) test -race -timeout 60m $(TESTFLAGS) ./...

.PHONY: simulate
simulate: go $(if $(ROOMPULSE_TEST_DATABASE_URL),,postgres) ## play random portal histories against sync: make simulate SEEDS=1000
	ROOMPULSE_SIMULATE_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 0 -run '^TestSimulate' $(TESTFLAGS) ./internal/...

.PHONY: bench
bench: go $(if $(ROOMPULSE_TEST_DATABASE_URL),,postgres) ## run the benchmarks; make bench EVENTS=10000000: compare reports over so many events with DuckDB
ifdef EVENTS
	$(GO) -C internal/bench run . -events $(EVENTS) $(if $(DAYS),-days $(DAYS))
else
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(TESTFLAGS) ./...
endif

.PHONY: generate
generate: go $(if $(ROOMPULSE_TEST_DATABASE_URL),,postgres) ## write db/ and docs/schema.md anew from migrations/ and queries/
	GO='$(GO)' internal/tools/generate-db.sh
	$(GO) test ./internal/analytics -run '^TestDictionary$$' -update

.PHONY: fmt
fmt: go ## format the Go code
	$(GOLANGCI_LINT) fmt

.PHONY: lint
lint: go ## run the linters, formatting included
	$(GOLANGCI_LINT) run

.PHONY: generated
generated: go ## fail if db/, go.mod or go.sum are not what their sources make
	@$(GO) mod tidy -diff || { echo "go.mod or go.sum is not tidy; run: go mod tidy" >&2; exit 1; }
	@$(GO) -C internal/tools/lint mod tidy -diff || { echo "run: go -C internal/tools/lint mod tidy" >&2; exit 1; }
	GO='$(GO)' internal/tools/generate-db.sh --check

.PHONY: postgres
postgres: ## find PostgreSQL's server programs; Debian and Ubuntu: install them
	@internal/tools/ensure-postgres.sh

.PHONY: chromium
chromium: ## find Chromium or Chrome for the tests of the HTML report; Debian and Ubuntu: install it
	@internal/tools/ensure-chromium.sh

# The first thing that fails on a machine without Go, or with one that is too old and may not fetch a newer one.
.PHONY: go
go:
	@command -v $(GO) >/dev/null || { echo "roompulse is built with Go, which is not on the PATH; see https://go.dev/doc/install" >&2; exit 1; }
	@$(GO) list -m >/dev/null || { echo "roompulse needs Go $$(sed -n 's/^go //p' go.mod) or newer, and this is $$(GOTOOLCHAIN=local $(GO) version); see https://go.dev/doc/install" >&2; exit 1; }
