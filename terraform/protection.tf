# Streams and queues have no deletion protection of their own, and Terraform deletes what it can before the table refuses: an
# attempt to destroy a protected stack would cost a week of events. This depends on everything, so it is the first to be
# destroyed, and while the stack is protected that fails. Everything else waits for it, and stays; only outputs are gone from
# the state until the next apply. `weir destroy --all` refuses before it plans.
resource "terraform_data" "deletion_protection" {
  input = var.deletion_protection
  # What replaces the streams deletes what they hold: a change of their names is refused in the same way.
  triggers_replace = var.name_prefix

  provisioner "local-exec" {
    when       = destroy
    command    = self.input ? "echo 'deletion_protection is on: nothing was deleted. Set it to false and apply first.' >&2; exit 1" : "exit 0"
    on_failure = fail
    quiet      = true
  }

  depends_on = [
    aws_kms_alias.this,
    module.alerts,
    module.arroyo,
    module.arroyo_secrets,
    module.engine,
    module.gate,
    module.heartbeat,
    module.network,
    module.observability,
    module.store,
    module.streams,
  ]
}
