#!/bin/sh
# `terraform init` for terraform/: from a provider mirror where this machine has one, otherwise online.
# A mirror is a folder with registry.terraform.io/hashicorp/aws/… inside. Set WEIR_TF_PLUGIN_DIR to name one.
# TF_PLUGIN_CACHE_DIR is a cache and no mirror: Terraform uses it by itself, and what it holds may be old. WEIR_TF_CACHE_DIR is
# made such a cache where none is set, and where no lock file matters: for the local stack.
# Further arguments go to `terraform init`. TF_DATA_DIR, when set, must be absolute. WEIR_TERRAFORM_ROOT is the folder to
# initialise, when it is not terraform/.
set -eu

cd "${WEIR_TERRAFORM_ROOT:-$(dirname "$0")/../terraform}"

init() { terraform init -input=false -no-color "$@"; }

has_provider() { [ -d "$1/registry.terraform.io/hashicorp/aws" ]; }

if [ -n "${WEIR_TF_PLUGIN_DIR:-}" ] && ! has_provider "$WEIR_TF_PLUGIN_DIR"; then
  echo "terraform-init: WEIR_TF_PLUGIN_DIR=$WEIR_TF_PLUGIN_DIR holds no registry.terraform.io/hashicorp/aws" >&2
  exit 1
fi

for dir in "${WEIR_TF_PLUGIN_DIR:-}" "${HOME:-}/.terraform.d/plugins" \
  /usr/local/share/terraform/plugins /usr/share/terraform/plugins /opt/*; do
  if [ -n "$dir" ] && has_provider "$dir"; then
    # -upgrade: a lock written by an online run may name a version that the mirror does not have.
    if init -plugin-dir="$dir" "$@" || init -plugin-dir="$dir" -upgrade "$@"; then exit 0; fi
    echo "terraform-init: the mirror $dir did not do, see above; trying the next place" >&2
  fi
done

if [ -n "${WEIR_TF_CACHE_DIR:-}" ] && [ -z "${TF_PLUGIN_CACHE_DIR:-}" ]; then
  mkdir -p "$WEIR_TF_CACHE_DIR"
  export TF_PLUGIN_CACHE_DIR="$WEIR_TF_CACHE_DIR" TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE=true
fi
if ! init "$@"; then
  echo "terraform-init: no provider mirror found and the registry was not reached (see above)." >&2
  echo "hint: on a machine with network, run 'terraform providers mirror <folder>' in terraform/, copy the folder here, and set WEIR_TF_PLUGIN_DIR to it" >&2
  exit 1
fi
