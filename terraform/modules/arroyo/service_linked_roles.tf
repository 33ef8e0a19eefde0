# AWS makes these roles of the account by itself at the first call of each service, and that call often fails because the role
# is not ready yet: "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise
# wait and try again later" (https://github.com/aws-samples/eks-workshop-v2/issues/1609, and of ECS
# https://github.com/gravitational/teleport/issues/41350). They belong to the account, not to a
# stack: a stack that makes them ends them too, so that is off unless asked for.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
resource "aws_iam_service_linked_role" "this" {
  for_each = !var.service_linked_roles_create ? toset([]) : toset(concat(
    ["ecs.amazonaws.com", "rds.amazonaws.com"],
    var.load_balancer == null ? [] : ["elasticloadbalancing.amazonaws.com"],
  ))

  aws_service_name = each.key
}
