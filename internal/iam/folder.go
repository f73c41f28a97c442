package iam

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Folder is an S3 bucket in which each user of a SAML provider has a folder named after
// ${saml:sub}.
type Folder struct {
	// Partition is that of the bucket, such as aws.
	Partition string

	// Bucket is its name.
	Bucket string

	// Account owns the bucket, 12 digits. The policy then allows access only while the account owns
	// the bucket: a bucket that somebody else creates under the name of a deleted one gets no data.
	// Empty: any account.
	Account string

	// Key is the ARN of the KMS key that encrypts the bucket's objects. Empty: S3's own keys, or
	// the AWS managed key aws/s3, which need no permission of the role.
	Key string
}

// FolderPolicy returns the policy of a folder without conditions on account or key.
func FolderPolicy(partition, bucket string) (string, error) {
	return Folder{Partition: partition, Bucket: bucket}.Policy()
}

// objectActions are what a user may do with an object of the folder. The last two are for the
// multipart uploads of large files: completing, aborting and resuming one (Amazon S3 User Guide,
// "Multipart upload API and permissions").
var objectActions = []string{
	"s3:GetObject",
	"s3:PutObject",
	"s3:DeleteObject",
	"s3:AbortMultipartUpload",
	"s3:ListMultipartUploadParts",
}

// harmlessACLs are what some clients send with every upload, such as rclone and s3fs: they grant
// nothing to anybody but the owner of the object and of the bucket. A request with another canned
// ACL, or with grants, has another value in s3:x-amz-acl, or none (Amazon S3 User Guide, "Access
// control list (ACL) overview").
var harmlessACLs = []string{"private", "bucket-owner-full-control"}

// Policy returns the permission policy. Lists have the prefix ${saml:sub}/, with its slash: without
// the slash, alice could list the folder of alice2. The key statement follows the Amazon S3 User
// Guide, "Protecting data using server-side encryption with AWS KMS keys".
func (f Folder) Policy() (string, error) {
	if f.Partition == "" {
		return "", errors.New("no region is set")
	}
	if err := CheckBucket(f.Bucket); err != nil {
		return "", err
	}
	if f.Account != "" && !account().MatchString(f.Account) {
		return "", fmt.Errorf("the account %.80q does not have 12 digits", f.Account)
	}
	bucketARN := "arn:" + f.Partition + ":s3:::" + f.Bucket
	objects := statement{
		Effect:   "Allow",
		Action:   objectActions,
		Resource: bucketARN + "/${saml:sub}/*",
	}
	harmless := map[string]condition{"StringEquals": {"s3:x-amz-acl": harmlessACLs}}
	acls := statement{
		Effect:    "Allow",
		Action:    "s3:PutObjectAcl",
		Resource:  objects.Resource,
		Condition: harmless,
	}
	inFolder := map[string]condition{"StringLike": {"s3:prefix": "${saml:sub}/*"}}
	lists := statement{
		Effect:    "Allow",
		Action:    "s3:ListBucket",
		Resource:  bucketARN,
		Condition: inFolder,
	}
	if f.Account != "" {
		owner := condition{"aws:ResourceAccount": f.Account}
		objects.Condition = map[string]condition{"StringEquals": owner}
		harmless["StringEquals"]["aws:ResourceAccount"] = f.Account
		inFolder["StringEquals"] = owner
	}
	if f.Key == "" {
		return policyText(objects, acls, lists)
	}
	if err := f.CheckKey(); err != nil {
		return "", err
	}
	return policyText(objects, acls, lists, f.keyStatement(bucketARN))
}

// CheckKey tells whether the policy can name the key. It can if there is no key, or if the key is
// in the bucket's partition.
func (f Folder) CheckKey() error {
	if f.Key == "" {
		return nil
	}
	key, err := ParseKey(f.Key)
	if err == nil && key.Partition != f.Partition {
		err = fmt.Errorf("the key is in the partition %s, and the bucket in %s: name a key of the "+
			"bucket's region", key.Partition, f.Partition)
	}
	return err
}

// keyStatement allows the key for objects of the folder and through S3 only. GenerateDataKey is for
// uploads; Decrypt is for downloads and for the parts of a multipart upload.
//
// S3 gives KMS the ARN of the object as encryption context, and that of the bucket where S3 Bucket
// Keys are on (Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys"). In
// the second case the statements above are what confines the user to the folder.
func (f Folder) keyStatement(bucketARN string) statement {
	key, _ := ParseKey(f.Key) // which is checked
	return statement{
		Effect:   "Allow",
		Action:   []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Resource: f.Key,
		Condition: map[string]condition{
			"StringEquals": {"kms:ViaService": viaS3(key.Region)},
			"StringLike": {"kms:EncryptionContext:aws:s3:arn": []string{
				bucketARN, bucketARN + "/${saml:sub}/*",
			}},
		},
	}
}

// viaS3 are the names of S3 in kms:ViaService. The AWS KMS Developer Guide writes amazonaws.com,
// and does not say what partitions with another suffix have. For those, the policy has both names.
func viaS3(region string) []string {
	names := []string{"s3." + region + ".amazonaws.com"}
	if p, ok := PartitionOf(region); ok {
		names = append(names, "s3."+region+"."+p.DNSSuffix)
	}
	return slices.Compact(names)
}

var account = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[0-9]{12}\z`)
})

// keyID is that of a KMS key, also of a multi-Region one (AWS KMS Developer Guide, "Key
// identifiers").
var keyID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\Akey/[A-Za-z0-9-]{1,256}\z`)
})

// ParseKey parses the ARN of a KMS key. An alias is refused, because policies see keys only (AWS
// KMS Developer Guide, "Specifying KMS keys in IAM policy statements").
func ParseKey(text string) (arn.ARN, error) {
	key, err := arn.Parse(text)
	switch {
	case err == nil && strings.HasPrefix(key.Resource, "alias/"):
		return key, fmt.Errorf("%.200q is an alias, which policies do not see: name the key that "+
			"it stands for, as aws kms describe-key prints it", text)
	case err != nil, key.Service != "kms", !isRegionOf(key.Partition, key.Region),
		!account().MatchString(key.AccountID), !keyID().MatchString(key.Resource):
		return key, fmt.Errorf("%.200q is not the ARN of a KMS key, such as "+
			"arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555", text)
	}
	return key, nil
}

// isRegionOf tells whether a region is one of the partition, by its name.
func isRegionOf(partition, region string) bool {
	p, ok := PartitionOf(region)
	return ok && p.ID == partition
}
