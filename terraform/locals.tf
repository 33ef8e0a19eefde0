locals {
  emulated = var.endpoint_url != null

  # The emulator runs the functions as processes of this machine; they must call it, not AWS.
  function_environment = merge(
    { WEIR_LOG = var.log_level },
    local.emulated ? { AWS_ENDPOINT_URL = var.endpoint_url } : {},
  )

  # Paths are relative to the repository, not absolute: the function's `filename` is kept in the state, and an
  # absolute path would show as a change on every other machine.
  zip = {
    for name, file in { alerter = var.alerter_zip, gate = var.gate_zip, heartbeat = var.heartbeat_zip } :
    name => startswith(file, "/") ? file : "${path.root}/../${file}"
  }

  roles = { path = var.role_path, permissions_boundary = var.role_permissions_boundary }

  tags = merge(
    {
      managed_by = "terraform"
      project    = "weir"
      stack      = var.name_prefix
    },
    var.tags,
  )
}
