# The AWS resources of Weir {{version}}: streams, table, functions, alarms. The module lies beside this file, in `weir`, as
# `weir init` wrote it. Its packages of the functions come with Weir's release: `weir deploy` puts them into `dist` beside
# `terraform`, and whoever runs Terraform otherwise copies them from lib/weir/{{version}}/lambda of the installation.
#
# State that a team shares belongs into a backend. An environment with a file NAME.tfbackend beside this one (bucket, key, region,
# use_lockfile) has its own in S3 with `weir deploy`; the workflow in .github/workflows says the same for itself.
terraform {
  required_version = ">= 1.11"
}

module "weir" {
  source = "./weir"

{{arguments}}
}
