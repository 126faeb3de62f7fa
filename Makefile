# The commands of this project; CI runs the same ones. `make` alone lists them.

PORT ?= 8080
CARGO ?= cargo

.PHONY: help run test check unit integration test-haproxy-versions setup stores

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 26

run: setup ## the whole thing on 127.0.0.1:$(PORT): HAProxy, two agents, a token-server, a backend; Ctrl-C ends it
	$(CARGO) build --quiet --workspace --bins
	@target/debug/demo --port $(PORT) $(ARGS)

test: setup check unit integration ## everything that must pass before a change lands

check: ## format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

unit: stores ## tests beside the code, and the token-server on real Redis and Consul
	$(CARGO) test --workspace --exclude integration-tests --quiet

integration: setup ## tests against a real HAProxy
	$(CARGO) build --workspace --bins --quiet
	$(CARGO) test --package integration-tests --quiet

test-haproxy-versions: setup ## the same tests against HAProxy 3.0 and 3.2
	$(CARGO) build --workspace --bins --quiet
	tests/versions.sh

stores:
	@tests/setup.sh redis-server:redis-server redis-cli:redis-tools openssl:openssl
	@tests/consul.sh >/dev/null

setup:
	@tests/setup.sh haproxy:haproxy curl:curl cc:gcc make:make
