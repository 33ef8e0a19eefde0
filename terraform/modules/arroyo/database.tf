# Arroyo's catalogue: pipelines, jobs, checkpoints' metadata. Small, but without it nothing is found again.

locals {
  aurora        = var.database.engine == "aurora-postgresql"
  database_name = "arroyo"
  database_user = "arroyo"

  database = {
    host = local.aurora ? one(aws_rds_cluster.this[*].endpoint) : one(aws_db_instance.this[*].address)
    name = local.database_name
    port = 5432
    user = local.database_user
  }

  # Arroyo 0.15 cannot speak TLS to PostgreSQL, and PostgreSQL on RDS insists on it since 15. The way between the two is
  # inside the VPC, between two security groups that name each other.
  database_parameters = { "rds.force_ssl" = "0" }

  final_snapshot = "${local.name}-final-${formatdate("YYYYMMDDhhmmss", plantimestamp())}"
}

# RDS makes this group by itself, to be kept for ever, under no key, and left behind.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html
resource "aws_cloudwatch_log_group" "database" {
  name              = "/aws/rds/${local.aurora ? "cluster" : "instance"}/${local.name}/postgresql"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
}

resource "aws_db_subnet_group" "this" {
  name       = local.name
  subnet_ids = var.subnet_ids

  depends_on = [aws_iam_service_linked_role.this]
}

# A new major version wants a group of a new family, before the instance leaves the old one: hence a prefix, not a name.
# https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/db_parameter_group#create_before_destroy-lifecycle-configuration
resource "aws_db_parameter_group" "this" {
  count = local.aurora ? 0 : 1

  name_prefix = "${local.name}-"
  description = "Arroyo's catalogue."
  family      = "postgres${var.database.version}"

  dynamic "parameter" {
    for_each = merge(local.database_parameters, { log_min_duration_statement = "1000" })

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  count = local.aurora ? 0 : 1

  identifier     = local.name
  engine         = "postgres"
  engine_version = var.database.version
  instance_class = var.database.instance_class

  db_name             = local.database_name
  password_wo         = var.database_password
  password_wo_version = var.secrets_version
  username            = local.database_user

  db_subnet_group_name   = aws_db_subnet_group.this.name
  multi_az               = var.database.multi_az
  parameter_group_name   = aws_db_parameter_group.this[0].name
  publicly_accessible    = false
  vpc_security_group_ids = [aws_security_group.database.id]

  allocated_storage     = var.database.storage_gib
  kms_key_id            = var.kms_key_arn
  max_allocated_storage = var.database.storage_gib * 2
  storage_encrypted     = true
  storage_type          = "gp3"

  allow_major_version_upgrade     = true
  apply_immediately               = true
  auto_minor_version_upgrade      = var.database.auto_minor_version_upgrade
  backup_retention_period         = var.database.backup_days
  backup_window                   = var.database.backup_window
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  enabled_cloudwatch_logs_exports = ["postgresql"]
  final_snapshot_identifier       = local.final_snapshot
  maintenance_window              = var.database.maintenance_window
  performance_insights_enabled    = var.database.performance_insights
  performance_insights_kms_key_id = var.database.performance_insights ? var.kms_key_arn : null
  skip_final_snapshot             = !var.database.final_snapshot

  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    # The time of creation, so that the next stack of this name can leave one too.
    ignore_changes = [final_snapshot_identifier]
  }
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.aurora ? 1 : 0

  name_prefix = "${local.name}-"
  description = "Arroyo's catalogue."
  family      = "aurora-postgresql${var.database.version}"

  dynamic "parameter" {
    for_each = merge(local.database_parameters, { log_min_duration_statement = "1000" })

    content {
      name  = parameter.key
      value = parameter.value
    }
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster" "this" {
  count = local.aurora ? 1 : 0

  cluster_identifier          = local.name
  allow_major_version_upgrade = true
  apply_immediately           = true
  engine                      = "aurora-postgresql"
  engine_version              = var.database.version

  database_name              = local.database_name
  master_password_wo         = var.database_password
  master_password_wo_version = var.secrets_version
  master_username            = local.database_user

  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[0].name
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.database.id]

  kms_key_id        = var.kms_key_arn
  storage_encrypted = true

  backup_retention_period         = var.database.backup_days
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  enabled_cloudwatch_logs_exports = ["postgresql"]
  final_snapshot_identifier       = local.final_snapshot
  preferred_backup_window         = var.database.backup_window
  preferred_maintenance_window    = var.database.maintenance_window
  skip_final_snapshot             = !var.database.final_snapshot

  serverlessv2_scaling_configuration {
    max_capacity = var.database.aurora_max_capacity
    min_capacity = var.database.aurora_min_capacity
  }

  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    ignore_changes = [final_snapshot_identifier]
  }
}

resource "aws_rds_cluster_instance" "this" {
  count = local.aurora ? (var.database.multi_az ? 2 : 1) : 0

  identifier         = "${local.name}-${count.index}"
  cluster_identifier = aws_rds_cluster.this[0].id
  engine             = aws_rds_cluster.this[0].engine
  engine_version     = aws_rds_cluster.this[0].engine_version
  instance_class     = "db.serverless"

  apply_immediately               = true
  auto_minor_version_upgrade      = var.database.auto_minor_version_upgrade
  copy_tags_to_snapshot           = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  performance_insights_enabled    = var.database.performance_insights
  performance_insights_kms_key_id = var.database.performance_insights ? var.kms_key_arn : null
  preferred_maintenance_window    = var.database.maintenance_window
  publicly_accessible             = false
}
