# One SAML provider and a role for each target of delegation. It makes what the files of
# "delegation terraform" make, from variables.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_saml_provider" "delegation" {
  count = var.existing_provider ? 0 : 1

  name                   = var.provider_name
  saml_metadata_document = var.metadata

  tags = merge(var.tags, {
    ManagedBy = "delegation"
  })

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = data.aws_caller_identity.current.account_id == var.account_id
      error_message = "This set-up is for the account ${var.account_id}."
    }

    precondition {
      condition     = data.aws_partition.current.partition == var.partition
      error_message = "This set-up is for the partition ${var.partition}."
    }

    precondition {
      condition     = var.metadata != null
      error_message = "metadata is missing: it is the file that \"delegation metadata\" writes."
    }
  }
}

data "aws_iam_saml_provider" "delegation" {
  count = var.existing_provider ? 1 : 0

  arn = "arn:${var.partition}:iam::${var.account_id}:saml-provider/${var.provider_name}"
}

locals {
  made  = aws_iam_saml_provider.delegation
  found = data.aws_iam_saml_provider.delegation

  principal = one(concat(local.found[*].arn, local.made[*].arn))
  uuids     = concat(local.found[*].saml_provider_uuid, local.made[*].saml_provider_uuid)

  recipients = {
    for target, role in var.roles : target => (
      role.by_provider_uuid ? "${role.recipient}/acs/${one(local.uuids)}" : role.recipient
    )
  }
}

resource "aws_iam_role" "delegation" {
  for_each = var.roles

  name                 = each.value.name
  path                 = each.value.path
  max_session_duration = each.value.max_session_duration
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = local.principal
      }
      Action = concat(
        ["sts:AssumeRoleWithSAML"],
        each.value.tags_sessions ? ["sts:TagSession"] : [],
        each.value.source_identity ? ["sts:SetSourceIdentity"] : [],
      )
      Condition = {
        StringEquals = {
          "SAML:aud"      = local.recipients[each.key]
          "SAML:iss"      = var.entity_id
          "SAML:sub_type" = "persistent"
        }
      }
    }]
  })

  tags = merge(var.tags, {
    ManagedBy        = "delegation"
    DelegationTarget = each.key
  })

  lifecycle {
    precondition {
      condition     = data.aws_caller_identity.current.account_id == var.account_id
      error_message = "This set-up is for the account ${var.account_id}."
    }

    precondition {
      condition     = data.aws_partition.current.partition == var.partition
      error_message = "This set-up is for the partition ${var.partition}."
    }
  }
}

resource "aws_iam_role_policy" "delegation" {
  for_each = { for target, role in var.roles : target => role if role.policy != null }

  name   = "delegation"
  role   = aws_iam_role.delegation[each.key].name
  policy = each.value.policy
}
