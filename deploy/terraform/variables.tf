variable "account_id" {
  description = "The only account in which this makes anything."
  type        = string

  validation {
    condition     = length(regexall("^[0-9]{12}$", var.account_id)) == 1
    error_message = "The account has 12 digits."
  }
}

variable "partition" {
  description = "The only partition in which this makes anything."
  type        = string
  default     = "aws"
}

variable "provider_name" {
  description = "Name of the SAML provider, at the end of its ARN."
  type        = string
  default     = "delegation"
}

variable "existing_provider" {
  description = "Whether something else makes the SAML provider. It is then only read."
  type        = bool
  default     = false
}

variable "metadata" {
  description = "Metadata of the SAML provider: what \"delegation metadata\" writes to a file."
  type        = string
  default     = null
}

variable "entity_id" {
  description = "Entity ID of the SAML identity: identity_provider.entity_id of the configuration."
  type        = string

  validation {
    condition     = var.entity_id != "" && !strcontains(var.entity_id, "$${")
    error_message = "The entity ID is missing, or has the beginning of a policy variable."
  }
}

variable "roles" {
  description = "The role of each target, by a short name of the target."
  type = map(object({
    name                 = string                # at the end of the role's ARN
    path                 = optional(string, "/") # before the name in the ARN
    recipient            = string                # the sign-in address of the target's region
    by_provider_uuid     = optional(bool, false) # with saml_provider_uuid in the configuration
    tags_sessions        = optional(bool, false) # sessions have tags
    source_identity      = optional(bool, false) # sessions have a source identity
    max_session_duration = optional(number, 3600)
    policy               = optional(string) # what the role may do, as JSON
  }))
  default = {}

  validation {
    condition     = !strcontains(join(" ", [for role in var.roles : role.recipient]), "$${")
    error_message = "A recipient has the beginning of a policy variable."
  }
}

variable "tags" {
  description = "Tags of everything that this makes, next to ManagedBy."
  type        = map(string)
  default     = {}
}
