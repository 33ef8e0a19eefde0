# Concurrency is reserved out of what the account has. A new account has 10 and must leave at least 10 to functions that
# reserve none, so there any reservation fails in the middle of an apply: "decreases account's UnreservedConcurrentExecution
# below its minimum value of [10]" (https://github.com/aws-samples/fhir-works-on-aws-deployment/issues/691). Hence nothing is
# reserved unless asked for, and then the plan looks first.

locals {
  reserved_concurrency = max(var.alerter_reserved_concurrency, 0) + max(var.heartbeat_reserved_concurrency, 0)
  # The least that AWS leaves to the other functions of an account: 10 in a new one, 100 later. What is refused here would be
  # refused by either. https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
  least_unreserved_concurrency = 10
}

data "aws_servicequotas_service_quota" "lambda_concurrency" {
  count = local.reserved_concurrency > 0 && !local.emulated ? 1 : 0

  # "Concurrent executions"
  quota_code   = "L-B99A9384"
  service_code = "lambda"

  lifecycle {
    postcondition {
      condition     = self.value - local.reserved_concurrency >= local.least_unreserved_concurrency
      error_message = "The account's quota of concurrent Lambda executions is ${self.value}, and ${local.least_unreserved_concurrency} must stay unreserved: ${local.reserved_concurrency} cannot be reserved. Ask AWS to raise it (Service Quotas, Lambda, Concurrent executions), or leave alerter_reserved_concurrency and heartbeat_reserved_concurrency at -1."
    }
  }
}
