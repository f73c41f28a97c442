output "principal" {
  description = "ARN of the SAML provider, the principal of the targets in the configuration."
  value       = local.principal
}

output "saml_provider_uuid" {
  description = "UUID of the SAML provider, for saml_provider_uuid in the configuration."
  value       = one(local.uuids)
}

output "roles" {
  description = "ARN of each target's role, the role of the target in the configuration."
  value       = { for target, role in aws_iam_role.delegation : target => role.arn }
}
