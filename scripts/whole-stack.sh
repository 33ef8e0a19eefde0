#!/usr/bin/env bash
# Everything that terraform/ knows, on the local emulator: applied, planned again (which must change nothing), destroyed.
# Further arguments go to Terraform, to try other variables: whole-stack.sh -var 'arroyo_database={engine="aurora-postgresql"}'
# It needs the packages of the functions (`make build`). It takes some minutes. The provider waits most of them.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
for package in alerter heartbeat; do
  [[ -f "$root/dist/local/$package.zip" ]] || { echo "whole-stack: dist/local/$package.zip is missing; make build makes it" >&2; exit 1; }
done

work="$(mktemp -d)"
emulator=""
cleanup() {
  # The functions are processes of the emulator's group.
  [[ -z "$emulator" ]] || kill -- "-$emulator" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

"$root/scripts/local-aws.sh" install
port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
set -m
GATEWAY_PORT="$port" WEIR_EMULATOR_DIR="$work/emulator" "$root/scripts/local-aws.sh" run >"$work/emulator.log" 2>&1 &
emulator=$!
set +m
for _ in $(seq 600); do
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "http://127.0.0.1:$port/_ministack/ready" 2>/dev/null; then break; fi
  kill -0 "$emulator" 2>/dev/null || { tail "$work/emulator.log" >&2; echo "whole-stack: the emulator ended" >&2; exit 1; }
  sleep 0.1
done

export TF_DATA_DIR="$work/terraform" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
certificate="arn:aws:acm:us-east-1:000000000000:certificate/01234567-89ab-cdef-0123-456789abcdef"
mail='[{protocol="email",endpoint="somebody@example.com"}]'
arguments=(
  -input=false -no-color -compact-warnings -state="$work/terraform.tfstate" -var-file=dev.tfvars
  -var endpoint_url="http://127.0.0.1:$port" -var region=us-east-1 -var name_prefix=weir-whole
  -var alerter_zip=dist/local/alerter.zip -var heartbeat_zip=dist/local/heartbeat.zip
  -var flow_logs_enabled=true -var kms_key_create=true -var keep_failed_records=true -var inbox=true -var subscriptions="$mail" -var alarm_subscriptions="$mail"
  -var arroyo_worker_count=2 -var arroyo_load_balancer="{certificate_arn=\"$certificate\",allowed_cidrs=[\"10.0.0.0/8\"]}"
  -var budget='{monthly_usd=100}' "$@"
)
terraform() { command terraform -chdir="$root/terraform" "$@"; }

"$root/scripts/terraform-init.sh" >/dev/null
terraform apply -auto-approve "${arguments[@]}" | tail -n 60 | grep -E '^(Apply complete|Error)' ||
  { echo "whole-stack: terraform apply failed" >&2; exit 1; }
terraform plan -detailed-exitcode "${arguments[@]}" >"$work/plan" ||
  { cat "$work/plan"; echo "whole-stack: the second plan is not empty" >&2; exit 1; }
echo "The second plan is empty."
terraform apply -destroy -auto-approve "${arguments[@]}" | grep -E '^(Apply complete|Error)'
left="$(terraform state list -state="$work/terraform.tfstate")"
[[ -z "$left" ]] || { echo "$left"; echo "whole-stack: not everything was destroyed" >&2; exit 1; }
echo "Nothing is left."
