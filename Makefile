# The commands of this project; CI runs the same ones. `make` alone lists them.

PORT ?= 8080
# Packages are built together wherever that is possible (`--workspace`): of other choices cargo makes other features, and builds
# what they depend on once more.
CARGO ?= cargo
SOAK_SECONDS ?= 600
DASHBOARD_SECONDS ?= 180
# A newer Rust knows more lints: they are printed for everyone, and stop a change only in CI, which says `-D warnings`.
CLIPPY_FLAGS ?=
# Integration tests wait for programs during half of their time: two for each processor.
TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))

.PHONY: help run test-alerts test check unit loom integration test-haproxy-versions test-idps test-page test-conformance conformance reference rules-table mutants explore fuzz audit bench test-secrets test-faults soak setup setup-build setup-test stores under-load deb test-deb dist test-dist test-dist-whole dashboard test-compose

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 26

run: setup ## the whole thing on 127.0.0.1:$(PORT): HAProxy, two agents, a token-server, a backend; Ctrl-C ends it
	$(CARGO) build --workspace --bins
	@$(CARGO) run --quiet --bin demo -- --port $(PORT) $(ARGS)

test: setup-test check unit test-secrets ## everything that must pass before a change lands

check: setup-build ## format and lints
	@tests/rust_tools.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- $(CLIPPY_FLAGS)

unit: setup-build stores loom ## tests beside the code, and the token-server on real Redis and Consul
	$(CARGO) test --workspace --quiet

loom: setup-build ## what threads share without a lock, in every order of their steps
	tests/loom.sh

integration: setup-test stores ## tests against a real HAProxy, and against Traefik, nginx and Envoy
	@tests/forward_auth.sh >/dev/null
	@tests/kubectl.sh >/dev/null
	@tests/kubernetes/setup.sh >/dev/null
	@tests/helm.sh >/dev/null
	@tests/prometheus.sh >/dev/null
	@tests/applications/setup.sh >/dev/null
	$(CARGO) build --workspace --bins
	RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --workspace --quiet --test integration

test-idps: setup-test ## identity providers that others wrote, from npm, PyPI and Debian: tokens by real flows, rotation, restart, outage; and OAuth clients
	@tests/setup.sh openssl:openssl chromium:chromium
	@tests/interop/providers/setup.sh >/dev/null
	@tests/interop/clients/setup.sh >/dev/null
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace --quiet --test identity_providers --test oauth_clients -- --test-threads=4

test-page: setup-test ## the page of the token-server in headless Chromium, with pictures in target/page
	@tests/setup.sh chromium:chromium
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace --quiet --test page -- --test-threads=4

test-haproxy-versions: setup-test stores ## the same tests against each HAProxy that Debian holds today, and HAPROXY=path
	@tests/kubectl.sh >/dev/null
	@tests/kubernetes/setup.sh >/dev/null
	@tests/prometheus.sh >/dev/null
	$(CARGO) build --workspace --bins
	RUST_TEST_THREADS=$(TEST_THREADS) tests/versions.sh

test-alerts: ## which alert fires at what: dashboards/alerts_test.yml, by promtool
	promtool=$$(tests/prometheus.sh)/promtool && cd dashboards && "$$promtool" check rules alerts.yml && "$$promtool" test rules alerts_test.yml

test-secrets: ## the integration tests at trace level, then a search of all that was logged for all tokens and keys used
	set -e; logs=$$(tests/target.sh)/secrets; rm -rf "$$logs"; mkdir -p "$$logs"; \
	SCAN_SECRETS="$$logs" $(MAKE) integration; \
	$(CARGO) run --quiet --bin scan-secrets "$$logs"

test-faults: under-load ## everything under load while one part after the other fails, and keys are replaced; FAULTS=hangs: only those
	$(CARGO) test --workspace --quiet --test names
	$(CARGO) run --quiet --bin under-load -- faults $(FAULTS)
	$(CARGO) run --quiet --bin under-load -- edge $(FAULTS)
	$(CARGO) run --quiet --bin under-load -- rotation

soak: under-load ## everything under load for SOAK_SECONDS (600): memory and descriptors must come to rest
	$(CARGO) run --quiet --bin under-load -- soak --seconds $(SOAK_SECONDS) --chart "$$(tests/target.sh)/soak.svg"

test-compose: setup-test ## docker-compose.yml in containers; without an engine or a registry it makes its own
	tests/compose/run.sh

deb: setup-build ## Debian packages of both programs, in target/debian
	@tests/setup.sh dpkg-shlibdeps:dpkg-dev
	$(CARGO) build --locked --release --package jwt-agent --package token-server
	@deploy/debian/forms.sh "$$(tests/target.sh)/release"
	@PATH="$$(tests/cargo_tool.sh cargo-deb):$$PATH" && for program in jwt-agent token-server; do $(CARGO) deb --locked --no-build --package $$program || exit 1; done

test-deb: setup-build ## Debian packages, built, installed below a folder, examined by systemd's tools, started by it, removed
	@tests/setup.sh dpkg-shlibdeps:dpkg-dev systemd-analyze:systemd debootstrap:debootstrap ip:iproute2 pgrep:procps
	$(CARGO) build --workspace --bins
	tests/deb.sh

dist: setup-build ## archives, Debian packages, bills of materials and sums of the commit that is checked out, in target/dist: the same bytes each time
	@tests/setup.sh dpkg-shlibdeps:dpkg-dev git:git xz:xz-utils
	deploy/dist.sh "$$(tests/target.sh)/dist"

test-dist: setup-build ## what `make dist` packs, made twice in two folders, must be the same; around stand-ins for the programs
	@tests/setup.sh dpkg-shlibdeps:dpkg-dev git:git xz:xz-utils
	$(CARGO) build --workspace --bins
	tests/dist.sh

test-dist-whole: setup-build ## the same with both programs built twice: half an hour, so that CI leaves it out
	@tests/setup.sh dpkg-shlibdeps:dpkg-dev git:git xz:xz-utils
	tests/dist.sh whole

dashboard: setup-test stores ## draw docs/dashboard-*.svg of what Prometheus answers about DASHBOARD_SECONDS (180) of traffic
	@tests/prometheus.sh >/dev/null
	$(CARGO) build --workspace --bins
	@$(CARGO) run --quiet --bin dashboard -- --seconds $(DASHBOARD_SECONDS)

test-conformance: setup-build ## published vectors (Wycheproof, RFC 7520) in VECTORS=folder, held against docs/CONFORMANCE.md
	@tests/conformance.sh "$(VECTORS)"

conformance: setup-build ## renew docs/CONFORMANCE.md from the same vectors
	@tests/conformance.sh "$(VECTORS)" renew

reference: setup-build ## renew docs/REFERENCE.md and deploy/config of what the programs say of their settings
	$(CARGO) build --workspace --bins
	@$(CARGO) run --quiet --bin reference

rules-table: setup-test ## renew the rule language's tables by running the same expressions in node
	cd crates/rules/tests/data && node generate.mjs
	@lodash=$$(mktemp -d) && trap 'rm -r "$$lodash"' EXIT && npm install --prefix "$$lodash" --no-package-lock --no-audit --no-fund --loglevel=error lodash@4 && \
		cd crates/rules/tests/data && node random.mjs "$$lodash"

mutants: setup-build ## what survives if the code that decides is changed in one place: MUTANTS="crates/rules crates/jose/src/jws.rs"; it takes hours
	tests/mutants.sh $(MUTANTS) -- $(ARGS)

explore: setup-build ## the tests that roll their cases, with new seeds for EXPLORE_SECONDS (600)
	tests/explore.sh

fuzz: setup-build ## each fuzz target for FUZZ_SECONDS (60)
	@tests/setup.sh c++:g++
	tests/fuzz.sh

audit: setup-build ## licences, forbidden and duplicate crates, sources; known vulnerabilities where their database can be had
	tests/audit.sh

bench: setup-test stores ## all measurements, or PART="edge delay"; BENCH=full for every line: bench/results.json
	tests/bench/run.sh $(PART)

under-load: setup stores
	@tests/setup.sh faketime:faketime ip:iproute2 iptables:iptables
	$(CARGO) build --workspace --bins

stores:
	@tests/setup.sh redis-server:redis-server redis-cli:redis-tools openssl:openssl faketime:faketime /bin/kill:procps
	@tests/consul.sh >/dev/null

setup: setup-build
	@tests/setup.sh haproxy:haproxy curl:curl

setup-build:
	@tests/setup.sh cc:gcc /usr/include/stdlib.h:libc6-dev

setup-test: setup
	@tests/setup.sh node:nodejs npm:npm pip3:python3-pip python3:python3 tinyproxy:tinyproxy-bin
