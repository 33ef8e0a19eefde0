# Without versions: Arroyo writes and deletes some 2.6 million objects a month, nobody restores a checkpoint by its version, and
# old versions and delete markers would cost more than the state and take hours to empty when the stack ends.
# https://github.com/hashicorp/terraform-provider-aws/issues/12146
resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_21:See above; versioning of checkpoints keeps what nobody can use.
  # Bucket names are global, hence account and region; 63 characters at most, with a prefix of 24.
  bucket        = "${local.name}-${data.aws_caller_identity.current.account_id}-${var.region}"
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      kms_master_key_id = var.kms_key_arn
      sse_algorithm     = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }

    # Of a bucket that had versions before.
    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  # Arroyo clears the checkpoints of pipelines that run. Those of deleted pipelines stay, and only age tells them apart.
  rule {
    id     = "orphaned-checkpoints"
    status = "Enabled"

    filter {
      prefix = "checkpoints/"
    }

    expiration {
      days = var.checkpoint_expiration_days
    }
  }
}

# Counts the requests under checkpoints/: a bucket that nothing is written to means that no checkpoint succeeds. The heartbeat
# publishes what Arroyo's API says of finished ones; this sees it also when neither answers.
resource "aws_s3_bucket_metric" "checkpoints" {
  bucket = aws_s3_bucket.state.id
  name   = "checkpoints"

  filter {
    prefix = "checkpoints/"
  }
}

resource "aws_s3_bucket_policy" "state" {
  count = var.require_tls ? 1 : 0

  bucket = aws_s3_bucket.state.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Action    = ["s3:*"]
      Principal = "*"
      Resource  = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # Both change who may do what with the bucket; S3 refuses them at the same time.
  depends_on = [aws_s3_bucket_public_access_block.state]
}
