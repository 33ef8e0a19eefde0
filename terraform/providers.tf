# One provider for AWS and for the local emulator. Everything local hangs on var.endpoint_url, so that what is
# applied on a laptop is what is applied to AWS.
provider "aws" {
  region = var.region

  access_key                  = local.emulated ? "test" : null
  secret_key                  = local.emulated ? "test" : null
  s3_use_path_style           = local.emulated
  skip_credentials_validation = local.emulated
  skip_metadata_api_check     = local.emulated ? "true" : null
  skip_region_validation      = local.emulated

  default_tags {
    tags = local.tags
  }

  dynamic "endpoints" {
    for_each = local.emulated ? [var.endpoint_url] : []

    content {
      applicationautoscaling = endpoints.value
      budgets                = endpoints.value
      cloudformation         = endpoints.value
      cloudwatch             = endpoints.value
      dynamodb               = endpoints.value
      ec2                    = endpoints.value
      ecs                    = endpoints.value
      elbv2                  = endpoints.value
      events                 = endpoints.value
      iam                    = endpoints.value
      kinesis                = endpoints.value
      kms                    = endpoints.value
      lambda                 = endpoints.value
      logs                   = endpoints.value
      rds                    = endpoints.value
      s3                     = endpoints.value
      scheduler              = endpoints.value
      secretsmanager         = endpoints.value
      servicediscovery       = endpoints.value
      servicequotas          = endpoints.value
      sns                    = endpoints.value
      sqs                    = endpoints.value
      ssm                    = endpoints.value
      sts                    = endpoints.value
    }
  }
}
