# The cheapest thing that is real.
log_retention_days = 14
name_prefix        = "weir-dev"
region             = "eu-central-1"
