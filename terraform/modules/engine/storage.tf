# Programs by their content's hash (packs/), the state of each (state/), which program is wanted (wanted.json) and what the engine says of
# itself (observed.json).
#
# Without versions: a checkpoint replaces the one before each ten seconds, and nobody goes back to an old one. What is deployed is
# written down in the table, whole.
resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_21:See above.
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
  }

  # The state of what runs is never older than a checkpoint. That of earlier programs is for rollbacks, and worth no more than the
  # streams keep: they are read from where it stands.
  rule {
    id     = "state-of-earlier-programs"
    status = "Enabled"

    filter {
      prefix = "state/"
    }

    expiration {
      days = var.state_expiration_days
    }
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
