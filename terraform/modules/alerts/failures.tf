# With keep_failed_records: batches that the alerter gave up on are kept whole, in S3, for longer than any stream keeps
# them; the dead-letter queue then says that there is something new. Without it the queue names shard and sequence numbers,
# and the stream's retention is the limit.

resource "aws_s3_bucket" "failures" {
  count = var.keep_failed_records ? 1 : 0

  # Bucket names are global, hence account and region; 63 characters at most, with a prefix of 24.
  bucket        = "${var.name_prefix}-failures-${data.aws_caller_identity.current.account_id}-${var.region}"
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_public_access_block" "failures" {
  count = var.keep_failed_records ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "failures" {
  count = var.keep_failed_records ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "failures" {
  count = var.keep_failed_records ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      kms_master_key_id = var.kms_key_arn
      sse_algorithm     = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_versioning" "failures" {
  count = var.keep_failed_records ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "failures" {
  count = var.keep_failed_records ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  rule {
    id     = "old-failures"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }

    expiration {
      days = 90
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.failures]
}

resource "aws_s3_bucket_policy" "failures" {
  count = var.keep_failed_records && var.require_tls ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Action    = ["s3:*"]
      Principal = "*"
      Resource  = [aws_s3_bucket.failures[0].arn, "${aws_s3_bucket.failures[0].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # Both change who may do what with the bucket; S3 refuses them at the same time.
  depends_on = [aws_s3_bucket_public_access_block.failures]
}

resource "aws_s3_bucket_notification" "failures" {
  count = var.keep_failed_records ? 1 : 0

  bucket = aws_s3_bucket.failures[0].id

  queue {
    events    = ["s3:ObjectCreated:*"]
    queue_arn = aws_sqs_queue.this["alerter-dlq"].arn
  }
}
