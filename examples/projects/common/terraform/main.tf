# The AWS resources of Weir {{version}}: streams, table, functions, alarms. The module lies beside this file, in `weir`, as
# `weir init` wrote it; its packages of the functions come with Weir's release, into `dist` beside `terraform`.
#
# State that a team shares belongs into a backend: https://developer.hashicorp.com/terraform/language/backend/s3
terraform {
  required_version = ">= 1.11"
}

variable "region" {
  description = "AWS region. No default: data must not land in a region that nobody chose."
  type        = string
}

module "weir" {
  source = "./weir"

  name_prefix = "{{name}}"
  region      = var.region
}
