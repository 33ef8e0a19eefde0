resource "aws_kinesis_stream" "this" {
  for_each = var.streams

  name             = each.value.name
  encryption_type  = var.encrypted ? "KMS" : "NONE"
  kms_key_id       = var.encrypted ? coalesce(var.kms_key_arn, "alias/aws/kinesis") : null
  retention_period = each.value.retention_hours
  # An on-demand stream refuses a shard count.
  shard_count = coalesce(each.value.mode, var.mode) == "PROVISIONED" ? each.value.shard_count : null

  stream_mode_details {
    stream_mode = coalesce(each.value.mode, var.mode)
  }
}

# Kinesis protects no stream from deletion, and a stream goes when its declaration, or its gate, is taken out. This goes before it,
# and while it is protected that fails: the stream stays, with what it holds. It is there without protection too, because
# what protects must not end when protection does.
resource "terraform_data" "deletion_protection" {
  for_each = var.streams

  input = { name = each.value.name, protected = var.deletion_protection }
  # Another name is another stream: the one that has it now would be deleted.
  triggers_replace = each.value.name

  provisioner "local-exec" {
    when       = destroy
    command    = self.input.protected ? "echo 'deletion_protection is on: the stream ${self.input.name} was not deleted. Set it to false and apply first, or declare the stream again.' >&2; exit 1" : "exit 0"
    on_failure = fail
    quiet      = true
  }

  depends_on = [aws_kinesis_stream.this]
}
