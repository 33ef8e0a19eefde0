mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "weir-anomalies"
}

run "defaults" {
  module { source = "./modules/store" }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled && aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "the table is encrypted and can be restored to any second"
  }

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "id" && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "the key is id, and nothing has to be scaled"
  }

  assert {
    condition = {
      for index in aws_dynamodb_table.this.global_secondary_index :
      index.name => "${index.hash_key}, ${index.range_key}, ${index.projection_type}"
      } == {
      by_key  = "key, timestamp, ALL"
      by_rule = "rule, timestamp, ALL"
    }
    error_message = "the indexes are those of docs/contracts.md"
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].enabled && aws_dynamodb_table.this.ttl[0].attribute_name == "expires_at"
    error_message = "old anomalies go away by themselves"
  }
}

run "protected_with_own_key" {
  module { source = "./modules/store" }

  variables {
    deletion_protection = true
    kms_key_arn         = "arn:aws:kms:eu-central-1:111122223333:key/k"
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-central-1:111122223333:key/k"
    error_message = "protection and key are handed on"
  }
}
