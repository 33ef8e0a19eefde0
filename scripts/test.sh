#!/usr/bin/env bash
# Everything that must hold. Every step runs, also after one has failed; the last line counts what passed and failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=0 failed=0 skipped=0
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# Runs a step whose command prints cargo's `test result:` lines, or counts as one check where it prints none.
step() {
  local name="$1" begun=$SECONDS status=0 p f i
  shift
  echo "=== $name"
  "$@" 2>&1 | tee "$log" || status=$?
  read -r p f i < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$log")
  if ((p + f == 0)); then
    if ((status == 0)); then p=1; else f=1; fi
  elif ((status != 0 && f == 0)); then
    f=1
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + i))
  echo "--- $name: $p passed, $f failed ($((SECONDS - begun)) s)"
}

terraform_init() { TF_DATA_DIR="$PWD/.weir/check/terraform" scripts/terraform-init.sh -backend=false; }
terraform_check() { TF_DATA_DIR="$PWD/.weir/check/terraform" terraform -chdir=terraform "$@"; }

step "format" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
step "build" make --no-print-directory build
# What waits for minutes and works little runs beside the steps that follow. In a process group of its own, which ends with
# this script.
beside="$(mktemp -d)"
groups=()
trap 'for group in "${groups[@]}"; do kill -- "-$group" 2>/dev/null || true; done; rm -rf "$log" "$beside"' EXIT
start() { # name command…
  local folder="$beside/$1"
  shift
  mkdir "$folder"
  set -m
  ("$@" >"$folder/said" 2>&1 && echo 0 >"$folder/status" || echo 1 >"$folder/status") &
  groups+=($!)
  set +m
}
end() { # name
  while [[ ! -s "$beside/$1/status" ]]; do sleep 1; done
  cat "$beside/$1/said"
  return "$(cat "$beside/$1/status")"
}
start whole-stack scripts/whole-stack.sh
# Always the whole workspace: cargo compiles DataFusion again for every other set of packages. The tests that run real
# binaries want the machine to themselves and come last.
step "unit, snapshot and property tests" cargo test --workspace --locked --no-fail-fast --lib --bins
start engine cargo test --workspace --locked --test engine
step "rule checks" target/debug/weir check --deny warnings
step "rule tests" target/debug/weir test
step "patches of the local emulator" timeout 120 scripts/local-aws.sh check
step "shell scripts" bash -n scripts/*.sh install.sh .ci/run
step "terraform format" terraform fmt -check -recursive terraform
step "terraform init" terraform_init
step "terraform validate" terraform_check validate -no-color
step "terraform test" terraform_check test -no-color
step "policy scan" scripts/policy-scan.sh --compact --quiet
step "libraries and types of the page" scripts/studio-vendor.sh check
step "documentation tests" cargo test --workspace --locked --doc
step "all of Terraform on the emulator: applied, planned again, destroyed" end whole-stack
# Those of the Lambdas wait for much and work little; each makes its own queues and tables.
lambda_tests=(alerter gate heartbeat)
other_tests=()
for file in crates/*/tests/*.rs lambdas/*/tests/*.rs tests/tests/*.rs tests/tests/*/main.rs; do
  name="$(basename "${file%/main.rs}" .rs)"
  [[ " ${lambda_tests[*]} engine " == *" $name "* ]] || other_tests+=(--test "$name")
done
step "tests of the Lambdas' binaries" cargo test --workspace --locked --no-fail-fast "${lambda_tests[@]/#/--test=}"
step "the embedded engine as a service" end engine
step "tests across crates and of the real binaries" cargo test --workspace --locked --no-fail-fast "${other_tests[@]}" -- --test-threads=1

echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
