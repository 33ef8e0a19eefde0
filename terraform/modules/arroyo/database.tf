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
}

resource "aws_db_subnet_group" "this" {
  name       = local.name
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  count = local.aurora ? 0 : 1

  name        = local.name
  description = "Arroyo's catalogue."
  family      = "postgres${var.database.version}"

  dynamic "parameter" {
    for_each = merge(local.database_parameters, { log_min_duration_statement = "1000" })

    content {
      name  = parameter.key
      value = parameter.value
    }
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

  auto_minor_version_upgrade      = true
  backup_retention_period         = var.database.backup_days
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  enabled_cloudwatch_logs_exports = ["postgresql"]
  final_snapshot_identifier       = var.deletion_protection ? "${local.name}-final" : null
  performance_insights_enabled    = var.database.performance_insights
  performance_insights_kms_key_id = var.database.performance_insights ? var.kms_key_arn : null
  skip_final_snapshot             = !var.deletion_protection
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.aurora ? 1 : 0

  name        = local.name
  description = "Arroyo's catalogue."
  family      = "aurora-postgresql${var.database.version}"

  dynamic "parameter" {
    for_each = merge(local.database_parameters, { log_min_duration_statement = "1000" })

    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

resource "aws_rds_cluster" "this" {
  count = local.aurora ? 1 : 0

  cluster_identifier = local.name
  engine             = "aurora-postgresql"
  engine_version     = var.database.version

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
  final_snapshot_identifier       = var.deletion_protection ? "${local.name}-final" : null
  skip_final_snapshot             = !var.deletion_protection

  serverlessv2_scaling_configuration {
    max_capacity = var.database.aurora_max_capacity
    min_capacity = var.database.aurora_min_capacity
  }
}

resource "aws_rds_cluster_instance" "this" {
  count = local.aurora ? (var.database.multi_az ? 2 : 1) : 0

  identifier         = "${local.name}-${count.index}"
  cluster_identifier = aws_rds_cluster.this[0].id
  engine             = aws_rds_cluster.this[0].engine
  engine_version     = aws_rds_cluster.this[0].engine_version
  instance_class     = "db.serverless"

  auto_minor_version_upgrade      = true
  copy_tags_to_snapshot           = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  performance_insights_enabled    = var.database.performance_insights
  performance_insights_kms_key_id = var.database.performance_insights ? var.kms_key_arn : null
  publicly_accessible             = false
}
