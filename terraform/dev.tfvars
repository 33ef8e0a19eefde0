# The cheapest thing that is real: one zone for what counts, Arroyo in one task, a NAT gateway for its image.
arroyo_enabled           = true
arroyo_control_cpu       = 512
arroyo_control_memory_mb = 2048
flow_logs_enabled        = false
log_retention_days       = 14
name_prefix              = "weir-dev"
network_egress           = "nat"
region                   = "eu-central-1"
