package ststest

import (
	"strings"
	"sync"
)

// serviceKeys lists condition keys that only some actions of their service have (Service
// Authorization Reference, the tables of actions). Lines with keys come before indented lines with
// the names of the actions that have them. Keys without actions belong to access points and access
// grants, through which no request of a gate goes. A key that ends in a slash or a colon stands for
// all that begin with it. A key that is not listed may be in every request. Such are the keys that
// the Service Authorization Reference lists for a type of resource: an action on an existing KMS key
// has kms:KeySpec, for example.
const serviceKeys = `
dynamodb:attributes
  BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PartiQLDelete PartiQLInsert
  PartiQLSelect PartiQLUpdate PutItem Query Scan UpdateItem
dynamodb:enclosingoperation
  DeleteItem GetItem PartiQLDelete PartiQLInsert PartiQLSelect PartiQLUpdate PutItem UpdateItem
dynamodb:fisactionid dynamodb:fistargetarns
  InjectError
dynamodb:fulltablescan
  PartiQLSelect
dynamodb:leadingkeys
  BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PartiQLDelete PartiQLInsert
  PartiQLSelect PartiQLUpdate PutItem Query UpdateItem
dynamodb:returnconsumedcapacity
  BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query Scan UpdateItem
dynamodb:returnvalues
  ConditionCheckItem DeleteItem PartiQLDelete PartiQLUpdate PutItem Query Scan UpdateItem
dynamodb:select
  BatchGetItem GetItem PartiQLSelect Query Scan
events:contentfilterpresent
  CreateSubscriber UpdateSubscriber
events:creatoraccount
  DeleteRule DescribeRule DisableRule EnableRule ListTagsForResource ListTargetsByRule PutRule
  PutTargets RemoveTargets TagResource UntagResource
events:detail-type
  PutEvents PutRule
events:detail.eventtypecode events:detail.service events:detail.useridentity.principalid
  PutRule
events:eventbusarn
  CreateEndpoint UpdateEndpoint
events:eventbusinvocation events:systemmetadata/
  PutEvents PutRawEvents
events:managedby
  DeleteRule DisableRule EnableRule PutRule PutTargets RemoveTargets
events:metadata/
  CreateSubscriber PutRawEvents UpdateSubscriber
events:policyname
  DeleteResourcePolicy GetResourcePolicy PutResourcePolicy
events:source
  CreateEventSource PutEvents PutRule UpdateEventSource
events:targetarn
  PutTargets
kms:bypasspolicylockoutsafetycheck
  CreateKey PutKeyPolicy
kms:datakeypairspec
  GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext
kms:encryptionalgorithm
  Decrypt Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext
  GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo
kms:encryptioncontext: kms:encryptioncontextkeys
  CreateGrant Decrypt Encrypt GenerateDataKey GenerateDataKeyPair
  GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo
  RetireGrant
kms:expirationmodel kms:validto
  ImportKeyMaterial
kms:grantconstraintsourcearn kms:granteeprincipal kms:granteeserviceprincipal kms:grantoperations
kms:retiringprincipal kms:retiringserviceprincipal
  CreateGrant
kms:grantconstrainttype
  CreateGrant RetireGrant
kms:grantisforawsresource
  CreateGrant ListGrants RevokeGrant
kms:keyagreementalgorithm
  DeriveSharedSecret
kms:macalgorithm
  GenerateMac VerifyMac
kms:messagetype kms:signingalgorithm
  Sign Verify
kms:primaryregion
  UpdatePrimaryRegion
kms:recipientattestation:
  Decrypt DeriveSharedSecret GenerateDataKey GenerateDataKeyPair GenerateRandom
kms:reencryptonsamekey
  ReEncryptFrom ReEncryptTo
kms:replicaregion
  ReplicateKey
kms:requestalias
  Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateDataKey GenerateDataKeyPair
  GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GetPublicKey
  ReEncryptFrom ReEncryptTo Sign Verify VerifyMac
kms:rotationperiodindays
  EnableKeyRotation
kms:schedulekeydeletionpendingwindowindays
  ScheduleKeyDeletion
kms:trailingdayswithoutkeyusage
  DisableKey ScheduleKeyDeletion
kms:wrappingalgorithm kms:wrappingkeyspec
  GetParametersForImport
s3:annotation-prefix s3:max-annotation-results
  ListObjectAnnotations ListObjectVersionAnnotations
s3:delimiter s3:max-keys s3:prefix
  ListBucket ListBucketVersions
s3:deliverysourcearn s3:logtype s3:resourcearnbeingauthorized
  AllowVendedLogDeliveryForResource
s3:destinationregion
  PauseReplication
s3:existingjoboperation s3:existingjobpriority
  DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus
s3:existingobjecttag/
  DeleteObjectAnnotation DeleteObjectTagging DeleteObjectVersionAnnotation
  DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAnnotation GetObjectAttributes
  GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAnnotation
  GetObjectVersionAttributes GetObjectVersionTagging ListObjectAnnotations
  ListObjectVersionAnnotations PutObjectAcl PutObjectAnnotation PutObjectTagging
  PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging UpdateObjectEncryption
s3:if-match
  DeleteObject PutObject
s3:if-none-match s3:objectcreationoperation s3:x-amz-object-annotation-directive
  PutObject
s3:inventoryaccessibleoptionalfields
  PutInventoryConfiguration
s3:isreplicationpauserequest
  PutReplicationConfiguration
s3:jobsuspendedcause
  UpdateJobStatus
s3:locationconstraint
  CreateAccessPoint CreateBucket
s3:object-lock-event-hold s3:object-lock-event-hold-duration-days
  PutObject PutObjectRetention ReplicateObject
s3:object-lock-legal-hold
  PutObject PutObjectLegalHold
s3:object-lock-mode s3:object-lock-remaining-retention-days s3:object-lock-retain-until-date
  PutObject PutObjectRetention
s3:requestjoboperation
  CreateJob
s3:requestjobpriority
  CreateJob UpdateJobPriority
s3:requestobjecttag/ s3:requestobjecttagkeys
  BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging
s3:versionid
  DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObjectVersion
  GetObjectVersionAcl GetObjectVersionAnnotation GetObjectVersionAttributes
  GetObjectVersionTagging GetObjectVersionTorrent ListObjectVersionAnnotations PutObjectVersionAcl
  PutObjectVersionAnnotation PutObjectVersionTagging
s3:x-amz-acl
  BypassGovernanceRetention CreateAccessPoint CreateBucket PutBucketAcl PutObject PutObjectAcl
  PutObjectVersionAcl
s3:x-amz-bucket-namespace s3:x-amz-object-ownership
  CreateBucket
s3:x-amz-copy-source s3:x-amz-metadata-directive s3:x-amz-website-redirect-location
  BypassGovernanceRetention PutObject
s3:x-amz-grant-full-control s3:x-amz-grant-read s3:x-amz-grant-read-acp s3:x-amz-grant-write
s3:x-amz-grant-write-acp
  BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl
s3:x-amz-object-if-match
  DeleteObjectAnnotation DeleteObjectVersionAnnotation PutObjectAnnotation
  PutObjectVersionAnnotation
s3:x-amz-server-side-encryption s3:x-amz-server-side-encryption-aws-kms-key-id
  BypassGovernanceRetention PutObject ReplicateObject UpdateObjectEncryption
s3:x-amz-server-side-encryption-customer-algorithm
  BypassGovernanceRetention PutObject ReplicateObject
s3:x-amz-storage-class
  BypassGovernanceRetention PutObject PutObjectAcl PutObjectVersionAcl
secretsmanager:addreplicaregions secretsmanager:forceoverwritereplicasecret
  CreateSecret ReplicateSecretToRegions
secretsmanager:blockpublicpolicy
  PutResourcePolicy
secretsmanager:description secretsmanager:kmskeyarn secretsmanager:kmskeyid secretsmanager:type
  CreateSecret UpdateSecret
secretsmanager:externalsecretrotationrolearn secretsmanager:modifyrotationrules
secretsmanager:rotateimmediately secretsmanager:rotationlambdaarn
  RotateSecret
secretsmanager:forcedeletewithoutrecovery secretsmanager:recoverywindowindays
  DeleteSecret
secretsmanager:name
  CreateSecret
secretsmanager:versionid
  GetSecretValue
secretsmanager:versionstage
  GetSecretValue UpdateSecretVersionStage
s3:accessgrantscope s3:accessgrantsinstancearn s3:accessgrantslocationscope
s3:accesspointnetworkorigin s3:accesspointtag/ s3:dataaccesspointaccount s3:dataaccesspointarn
`

// actionsOfKeys returns the table of serviceKeys.
var actionsOfKeys = sync.OnceValue(func() map[string][]string {
	table := map[string][]string{}
	var keys []string
	begun := false // the actions of these keys
	for line := range strings.Lines(serviceKeys) {
		words := strings.Fields(line)
		if strings.HasPrefix(line, " ") {
			for _, key := range keys {
				table[key] = append(table[key], words...)
			}
			begun = true
			continue
		}
		if begun {
			keys = nil
			begun = false
		}
		for _, key := range words {
			table[key] = nil
			keys = append(keys, key)
		}
	}
	return table
})
