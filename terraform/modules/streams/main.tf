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
