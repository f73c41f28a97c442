package ststest

import "slices"

// serviceKeys lists condition keys in lower case that only some actions of their service have
// (Service Authorization Reference, the tables of actions). A key that ends in a slash or a colon
// stands for all that begin with it. Keys without actions belong to access points and access
// grants, through which no request of a gate goes.
//
// A key that is not listed may be in every request. Such are the keys that the Service
// Authorization Reference lists for a type of resource: an action on an existing KMS key has
// kms:KeySpec.
var serviceKeys = []struct{ keys, actions []string }{
	{
		keys: []string{"dynamodb:attributes"},
		actions: []string{
			"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem",
			"PartiQLDelete", "PartiQLInsert", "PartiQLSelect", "PartiQLUpdate", "PutItem", "Query",
			"Scan", "UpdateItem",
		},
	},
	{
		keys: []string{"dynamodb:enclosingoperation"},
		actions: []string{
			"DeleteItem", "GetItem", "PartiQLDelete", "PartiQLInsert", "PartiQLSelect",
			"PartiQLUpdate", "PutItem", "UpdateItem",
		},
	},
	{
		keys:    []string{"dynamodb:fisactionid", "dynamodb:fistargetarns"},
		actions: []string{"InjectError"},
	},
	{
		keys:    []string{"dynamodb:fulltablescan"},
		actions: []string{"PartiQLSelect"},
	},
	{
		keys: []string{"dynamodb:leadingkeys"},
		actions: []string{
			"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem",
			"PartiQLDelete", "PartiQLInsert", "PartiQLSelect", "PartiQLUpdate", "PutItem", "Query",
			"UpdateItem",
		},
	},
	{
		keys: []string{"dynamodb:returnconsumedcapacity"},
		actions: []string{
			"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem",
			"PutItem", "Query", "Scan", "UpdateItem",
		},
	},
	{
		keys: []string{"dynamodb:returnvalues"},
		actions: []string{
			"ConditionCheckItem", "DeleteItem", "PartiQLDelete", "PartiQLUpdate", "PutItem",
			"Query", "Scan", "UpdateItem",
		},
	},
	{
		keys:    []string{"dynamodb:select"},
		actions: []string{"BatchGetItem", "GetItem", "PartiQLSelect", "Query", "Scan"},
	},
	{
		keys:    []string{"events:contentfilterpresent"},
		actions: []string{"CreateSubscriber", "UpdateSubscriber"},
	},
	{
		keys: []string{"events:creatoraccount"},
		actions: []string{
			"DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "ListTagsForResource",
			"ListTargetsByRule", "PutRule", "PutTargets", "RemoveTargets", "TagResource",
			"UntagResource",
		},
	},
	{
		keys:    []string{"events:detail-type"},
		actions: []string{"PutEvents", "PutRule"},
	},
	{
		keys: []string{
			"events:detail.eventtypecode", "events:detail.service",
			"events:detail.useridentity.principalid",
		},
		actions: []string{"PutRule"},
	},
	{
		keys:    []string{"events:eventbusarn"},
		actions: []string{"CreateEndpoint", "UpdateEndpoint"},
	},
	{
		keys:    []string{"events:eventbusinvocation", "events:systemmetadata/"},
		actions: []string{"PutEvents", "PutRawEvents"},
	},
	{
		keys: []string{"events:managedby"},
		actions: []string{
			"DeleteRule", "DisableRule", "EnableRule", "PutRule", "PutTargets", "RemoveTargets",
		},
	},
	{
		keys:    []string{"events:metadata/"},
		actions: []string{"CreateSubscriber", "PutRawEvents", "UpdateSubscriber"},
	},
	{
		keys:    []string{"events:policyname"},
		actions: []string{"DeleteResourcePolicy", "GetResourcePolicy", "PutResourcePolicy"},
	},
	{
		keys:    []string{"events:source"},
		actions: []string{"CreateEventSource", "PutEvents", "PutRule", "UpdateEventSource"},
	},
	{
		keys:    []string{"events:targetarn"},
		actions: []string{"PutTargets"},
	},
	{
		keys:    []string{"kms:bypasspolicylockoutsafetycheck"},
		actions: []string{"CreateKey", "PutKeyPolicy"},
	},
	{
		keys:    []string{"kms:datakeypairspec"},
		actions: []string{"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"},
	},
	{
		keys: []string{"kms:encryptionalgorithm"},
		actions: []string{
			"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
			"GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
			"ReEncryptFrom", "ReEncryptTo",
		},
	},
	{
		keys: []string{"kms:encryptioncontext:", "kms:encryptioncontextkeys"},
		actions: []string{
			"CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
			"GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
			"ReEncryptFrom", "ReEncryptTo", "RetireGrant",
		},
	},
	{
		keys:    []string{"kms:expirationmodel", "kms:validto"},
		actions: []string{"ImportKeyMaterial"},
	},
	{
		keys: []string{
			"kms:grantconstraintsourcearn", "kms:granteeprincipal", "kms:granteeserviceprincipal",
			"kms:grantoperations", "kms:retiringprincipal", "kms:retiringserviceprincipal",
		},
		actions: []string{"CreateGrant"},
	},
	{
		keys:    []string{"kms:grantconstrainttype"},
		actions: []string{"CreateGrant", "RetireGrant"},
	},
	{
		keys:    []string{"kms:grantisforawsresource"},
		actions: []string{"CreateGrant", "ListGrants", "RevokeGrant"},
	},
	{
		keys:    []string{"kms:keyagreementalgorithm"},
		actions: []string{"DeriveSharedSecret"},
	},
	{
		keys:    []string{"kms:macalgorithm"},
		actions: []string{"GenerateMac", "VerifyMac"},
	},
	{
		keys:    []string{"kms:messagetype", "kms:signingalgorithm"},
		actions: []string{"Sign", "Verify"},
	},
	{
		keys:    []string{"kms:primaryregion"},
		actions: []string{"UpdatePrimaryRegion"},
	},
	{
		keys: []string{"kms:recipientattestation:"},
		actions: []string{
			"Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair",
			"GenerateRandom",
		},
	},
	{
		keys:    []string{"kms:reencryptonsamekey"},
		actions: []string{"ReEncryptFrom", "ReEncryptTo"},
	},
	{
		keys:    []string{"kms:replicaregion"},
		actions: []string{"ReplicateKey"},
	},
	{
		keys: []string{"kms:requestalias"},
		actions: []string{
			"Decrypt", "DeriveSharedSecret", "DescribeKey", "Encrypt", "GenerateDataKey",
			"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
			"GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetPublicKey", "ReEncryptFrom",
			"ReEncryptTo", "Sign", "Verify", "VerifyMac",
		},
	},
	{
		keys:    []string{"kms:rotationperiodindays"},
		actions: []string{"EnableKeyRotation"},
	},
	{
		keys:    []string{"kms:schedulekeydeletionpendingwindowindays"},
		actions: []string{"ScheduleKeyDeletion"},
	},
	{
		keys:    []string{"kms:trailingdayswithoutkeyusage"},
		actions: []string{"DisableKey", "ScheduleKeyDeletion"},
	},
	{
		keys:    []string{"kms:wrappingalgorithm", "kms:wrappingkeyspec"},
		actions: []string{"GetParametersForImport"},
	},
	{
		keys:    []string{"s3:annotation-prefix", "s3:max-annotation-results"},
		actions: []string{"ListObjectAnnotations", "ListObjectVersionAnnotations"},
	},
	{
		keys:    []string{"s3:delimiter", "s3:max-keys", "s3:prefix"},
		actions: []string{"ListBucket", "ListBucketVersions"},
	},
	{
		keys:    []string{"s3:deliverysourcearn", "s3:logtype", "s3:resourcearnbeingauthorized"},
		actions: []string{"AllowVendedLogDeliveryForResource"},
	},
	{
		keys:    []string{"s3:destinationregion"},
		actions: []string{"PauseReplication"},
	},
	{
		keys: []string{"s3:existingjoboperation", "s3:existingjobpriority"},
		actions: []string{
			"DeleteJobTagging", "PutJobTagging", "UpdateJobPriority", "UpdateJobStatus",
		},
	},
	{
		keys: []string{"s3:existingobjecttag/"},
		actions: []string{
			"DeleteObjectAnnotation", "DeleteObjectTagging", "DeleteObjectVersionAnnotation",
			"DeleteObjectVersionTagging", "GetObject", "GetObjectAcl", "GetObjectAnnotation",
			"GetObjectAttributes", "GetObjectTagging", "GetObjectVersion", "GetObjectVersionAcl",
			"GetObjectVersionAnnotation", "GetObjectVersionAttributes", "GetObjectVersionTagging",
			"ListObjectAnnotations", "ListObjectVersionAnnotations", "PutObjectAcl",
			"PutObjectAnnotation", "PutObjectTagging", "PutObjectVersionAcl",
			"PutObjectVersionAnnotation", "PutObjectVersionTagging", "UpdateObjectEncryption",
		},
	},
	{
		keys:    []string{"s3:if-match"},
		actions: []string{"DeleteObject", "PutObject"},
	},
	{
		keys: []string{
			"s3:if-none-match", "s3:objectcreationoperation",
			"s3:x-amz-object-annotation-directive",
		},
		actions: []string{"PutObject"},
	},
	{
		keys:    []string{"s3:inventoryaccessibleoptionalfields"},
		actions: []string{"PutInventoryConfiguration"},
	},
	{
		keys:    []string{"s3:isreplicationpauserequest"},
		actions: []string{"PutReplicationConfiguration"},
	},
	{
		keys:    []string{"s3:jobsuspendedcause"},
		actions: []string{"UpdateJobStatus"},
	},
	{
		keys:    []string{"s3:locationconstraint"},
		actions: []string{"CreateAccessPoint", "CreateBucket"},
	},
	{
		keys:    []string{"s3:object-lock-event-hold", "s3:object-lock-event-hold-duration-days"},
		actions: []string{"PutObject", "PutObjectRetention", "ReplicateObject"},
	},
	{
		keys:    []string{"s3:object-lock-legal-hold"},
		actions: []string{"PutObject", "PutObjectLegalHold"},
	},
	{
		keys: []string{
			"s3:object-lock-mode", "s3:object-lock-remaining-retention-days",
			"s3:object-lock-retain-until-date",
		},
		actions: []string{"PutObject", "PutObjectRetention"},
	},
	{
		keys:    []string{"s3:requestjoboperation"},
		actions: []string{"CreateJob"},
	},
	{
		keys:    []string{"s3:requestjobpriority"},
		actions: []string{"CreateJob", "UpdateJobPriority"},
	},
	{
		keys: []string{"s3:requestobjecttag/", "s3:requestobjecttagkeys"},
		actions: []string{
			"BypassGovernanceRetention", "PutObject", "PutObjectTagging", "PutObjectVersionTagging",
		},
	},
	{
		keys: []string{"s3:versionid"},
		actions: []string{
			"DeleteObjectVersion", "DeleteObjectVersionAnnotation", "DeleteObjectVersionTagging",
			"GetObjectVersion", "GetObjectVersionAcl", "GetObjectVersionAnnotation",
			"GetObjectVersionAttributes", "GetObjectVersionTagging", "GetObjectVersionTorrent",
			"ListObjectVersionAnnotations", "PutObjectVersionAcl", "PutObjectVersionAnnotation",
			"PutObjectVersionTagging",
		},
	},
	{
		keys: []string{"s3:x-amz-acl"},
		actions: []string{
			"BypassGovernanceRetention", "CreateAccessPoint", "CreateBucket", "PutBucketAcl",
			"PutObject", "PutObjectAcl", "PutObjectVersionAcl",
		},
	},
	{
		keys:    []string{"s3:x-amz-bucket-namespace", "s3:x-amz-object-ownership"},
		actions: []string{"CreateBucket"},
	},
	{
		keys: []string{
			"s3:x-amz-copy-source", "s3:x-amz-metadata-directive",
			"s3:x-amz-website-redirect-location",
		},
		actions: []string{"BypassGovernanceRetention", "PutObject"},
	},
	{
		keys: []string{
			"s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp",
			"s3:x-amz-grant-write", "s3:x-amz-grant-write-acp",
		},
		actions: []string{
			"BypassGovernanceRetention", "CreateBucket", "PutBucketAcl", "PutObject",
			"PutObjectAcl", "PutObjectVersionAcl",
		},
	},
	{
		keys: []string{"s3:x-amz-object-if-match"},
		actions: []string{
			"DeleteObjectAnnotation", "DeleteObjectVersionAnnotation", "PutObjectAnnotation",
			"PutObjectVersionAnnotation",
		},
	},
	{
		keys: []string{
			"s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id",
		},
		actions: []string{
			"BypassGovernanceRetention", "PutObject", "ReplicateObject", "UpdateObjectEncryption",
		},
	},
	{
		keys:    []string{"s3:x-amz-server-side-encryption-customer-algorithm"},
		actions: []string{"BypassGovernanceRetention", "PutObject", "ReplicateObject"},
	},
	{
		keys: []string{"s3:x-amz-storage-class"},
		actions: []string{
			"BypassGovernanceRetention", "PutObject", "PutObjectAcl", "PutObjectVersionAcl",
		},
	},
	{
		keys: []string{
			"secretsmanager:addreplicaregions", "secretsmanager:forceoverwritereplicasecret",
		},
		actions: []string{"CreateSecret", "ReplicateSecretToRegions"},
	},
	{
		keys:    []string{"secretsmanager:blockpublicpolicy"},
		actions: []string{"PutResourcePolicy"},
	},
	{
		keys: []string{
			"secretsmanager:description", "secretsmanager:kmskeyarn", "secretsmanager:kmskeyid",
			"secretsmanager:type",
		},
		actions: []string{"CreateSecret", "UpdateSecret"},
	},
	{
		keys: []string{
			"secretsmanager:externalsecretrotationrolearn", "secretsmanager:modifyrotationrules",
			"secretsmanager:rotateimmediately", "secretsmanager:rotationlambdaarn",
		},
		actions: []string{"RotateSecret"},
	},
	{
		keys: []string{
			"secretsmanager:forcedeletewithoutrecovery", "secretsmanager:recoverywindowindays",
		},
		actions: []string{"DeleteSecret"},
	},
	{
		keys:    []string{"secretsmanager:name"},
		actions: []string{"CreateSecret"},
	},
	{
		keys:    []string{"secretsmanager:versionid"},
		actions: []string{"GetSecretValue"},
	},
	{
		keys:    []string{"secretsmanager:versionstage"},
		actions: []string{"GetSecretValue", "UpdateSecretVersionStage"},
	},
	{
		keys: []string{
			"s3:accessgrantscope", "s3:accessgrantsinstancearn", "s3:accessgrantslocationscope",
			"s3:accesspointnetworkorigin", "s3:accesspointtag/", "s3:dataaccesspointaccount",
			"s3:dataaccesspointarn",
		},
	},
}

// mayHave reports whether requests for an action may have a key of its service in lower case.
func mayHave(action, key string) bool {
	family := keyFamily(key)
	for _, row := range serviceKeys {
		if slices.Contains(row.keys, family) {
			return isOneOf(row.actions, action)
		}
	}
	return true
}
