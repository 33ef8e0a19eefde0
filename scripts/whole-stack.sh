#!/usr/bin/env bash
# Everything that terraform/ knows, on the local emulator: applied, planned again (which must change nothing), destroyed.
# Further arguments go to Terraform, to try other variables: whole-stack.sh -var 'arroyo_database={engine="aurora-postgresql"}'
# It needs the packages of the functions (`make build`). It takes some minutes. The provider waits most of them.
#
# A stream that Weir does not own is there before, passes a gate, and must be there afterwards with what was in it.
#
# EMULATOR=moto: another emulator, independent of ours (moto, of a pinned version, installed from PyPI). What it does otherwise is
# listed in scripts/moto-gaps.toml with whose gap it is; what is not listed fails. It runs no functions.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
for package in alerter gate heartbeat; do
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

kind="${EMULATOR:-ministack}"
case "$kind" in
ministack)
  "$root/scripts/local-aws.sh" install
  ready="/_ministack/ready"
  ;;
moto)
  "$root/scripts/moto.sh" install
  ready="/moto-api/"
  ;;
*) echo "whole-stack: \`$kind\` is no emulator; ministack or moto" >&2; exit 2 ;;
esac
port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
set -m
if [[ "$kind" == moto ]]; then
  "$root/scripts/moto.sh" run "$port" >"$work/emulator.log" 2>&1 &
else
  GATEWAY_PORT="$port" WEIR_EMULATOR_DIR="$work/emulator" "$root/scripts/local-aws.sh" run >"$work/emulator.log" 2>&1 &
fi
emulator=$!
set +m
for _ in $(seq 600); do
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "http://127.0.0.1:$port$ready" 2>/dev/null; then break; fi
  kill -0 "$emulator" 2>/dev/null || { tail "$work/emulator.log" >&2; echo "whole-stack: the emulator ended" >&2; exit 1; }
  sleep 0.1
done

export TF_DATA_DIR="$work/terraform" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
# Somebody else's stream, and one that Weir makes.
foreign=whole-stack-flow-logs
declaration='envelope = \"cloudwatch_logs\"\nformat = \"text\"\npattern = \"{srcaddr} {bytes}\"\nkey = \"srcaddr\"\n[fields]\nsrcaddr = \"text\"\nbytes = \"integer\"\n'
streams="{flows={arn=\"$foreign\",gate={always=true,declaration=\"$declaration\"}},orders={create=true}}"
kinesis() { "$root/scripts/kinesis-call.py" "http://127.0.0.1:$port" "$@"; }
certificate="arn:aws:acm:us-east-1:000000000000:certificate/01234567-89ab-cdef-0123-456789abcdef"
mail='[{protocol="email",endpoint="somebody@example.com"}]'
# The sizes come first: a variable that is given twice is the last one.
sizes=dev.tfvars
[[ "$kind" == moto ]] && sizes=local.tfvars
arguments=(
  -var-file="$sizes" -input=false -no-color -compact-warnings -state="$work/terraform.tfstate"
  -var endpoint_url="http://127.0.0.1:$port" -var region=us-east-1 -var name_prefix=weir-whole
  -var alerter_zip=dist/local/alerter.zip -var gate_zip=dist/local/gate.zip -var heartbeat_zip=dist/local/heartbeat.zip
  -var streams="$streams" -var 'stream_options={flows={gate_shards=2}}'
  -var flow_logs_enabled=true -var kms_key_create=true -var keep_failed_records=true -var inbox=true -var subscriptions="$mail" -var alarm_subscriptions="$mail"
  -var deletion_protection=false
)
# Not on moto: it makes no DNS namespace by CloudFormation, which Arroyo's cluster needs, and has neither PutCompositeAlarm nor
# DescribeSubscribersForNotification of budgets. The provider waits for each of them until its time is over.
if [[ "$kind" != moto ]]; then
  arguments+=(
    -var budget='{monthly_usd=100}' -var arroyo_worker_count=2
    -var arroyo_load_balancer="{certificate_arn=\"$certificate\",allowed_cidrs=[\"10.0.0.0/8\"]}"
  )
fi
arguments+=("$@")
terraform() { command terraform -chdir="$root/terraform" "$@"; }

kinesis CreateStream "{\"StreamName\":\"$foreign\",\"ShardCount\":1}" >/dev/null
"$root/scripts/terraform-init.sh" >/dev/null
terraform apply -auto-approve "${arguments[@]}" >"$work/apply" ||
  { tail -n 60 "$work/apply" >&2; echo "whole-stack: terraform apply failed" >&2; exit 1; }
grep '^Apply complete' "$work/apply"

if [[ "$kind" == moto ]]; then
  terraform plan -out="$work/again" "${arguments[@]}" >/dev/null
  terraform show -json "$work/again" >"$work/again.json"
  "$root/scripts/plan-gaps.py" "$work/again.json" "$root/scripts/moto-gaps.toml" ||
    { echo "whole-stack: the second plan has changes that no gap of moto's explains" >&2; exit 1; }
else
  terraform plan -detailed-exitcode "${arguments[@]}" >"$work/plan" ||
    { cat "$work/plan"; echo "whole-stack: the second plan is not empty" >&2; exit 1; }
  echo "The second plan is empty."
  # A message of CloudWatch Logs, gzipped, as Kinesis has it.
  message='{"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1767225600000,"message":"10.0.0.1 5000"}]}'
  data="$(printf %s "$message" | gzip -c | base64 | tr -d '\n')"
  kinesis PutRecord "{\"StreamName\":\"$foreign\",\"PartitionKey\":\"p\",\"Data\":\"$data\"}" >/dev/null
  for attempt in $(seq 120); do
    if kinesis --records weir-whole-flows-plain | grep -q '"srcaddr":"10.0.0.1","bytes":5000'; then break; fi
    ((attempt < 120)) || { tail "$work/emulator.log" >&2; echo "whole-stack: the gate put nothing on its stream" >&2; exit 1; }
    sleep 0.5
  done
  echo "What was gzipped on somebody else's stream is plain on Weir's."
fi

terraform apply -destroy -auto-approve "${arguments[@]}" | grep -E '^(Apply complete|Error)'
left="$(terraform state list -state="$work/terraform.tfstate")"
[[ -z "$left" ]] || { echo "$left"; echo "whole-stack: not everything was destroyed" >&2; exit 1; }
status="$(kinesis DescribeStreamSummary "{\"StreamName\":\"$foreign\"}")"
[[ "$status" == *'"StreamStatus": "ACTIVE"'* || "$status" == *'"StreamStatus":"ACTIVE"'* ]] ||
  { echo "$status"; echo "whole-stack: somebody else's stream is gone" >&2; exit 1; }
[[ "$kind" == moto || "$(kinesis --records "$foreign" | wc -l)" -eq 1 ]] ||
  { kinesis --records "$foreign"; echo "whole-stack: somebody else's stream holds something else than before" >&2; exit 1; }
echo "Nothing is left but the stream that was there before."
