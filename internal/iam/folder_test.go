package iam_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/iam"
)

// policyStatement is a statement of a policy that this package writes.
type policyStatement struct {
	Effect, Resource string
	Action           any
	Condition        map[string]map[string]any
}

// statementsOf are those of a policy.
func statementsOf(t *testing.T, policy string) []policyStatement {
	t.Helper()
	var document struct {
		Version   string
		Statement []policyStatement
	}
	if err := json.Unmarshal([]byte(policy), &document); err != nil ||
		document.Version != "2012-10-17" {
		t.Fatalf("%v: %s", err, policy)
	}
	return document.Statement
}

const folderKey = "arn:aws:kms:eu-central-1:123456789012:key/mrk-1234abcd"

// TestFolder: every statement has the account, and the key is for S3 and the folder only.
func TestFolder(t *testing.T) {
	policy, err := iam.Folder{
		Partition: "aws", Bucket: "photos", Account: "123456789012", Key: folderKey,
	}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	all := statementsOf(t, policy)
	if len(all) != 4 {
		t.Fatalf("it has %d statements: %s", len(all), policy)
	}
	for _, s := range all[:3] {
		if got := s.Condition["StringEquals"]["aws:ResourceAccount"]; got != "123456789012" {
			t.Errorf("%v has the account %v", s.Action, got)
		}
	}
	if got := all[2].Condition["StringLike"]["s3:prefix"]; got != "${saml:sub}/*" {
		t.Errorf("lists have the prefix %v", got)
	}
	key := all[3]
	context, _ := json.Marshal(key.Condition["StringLike"]["kms:EncryptionContext:aws:s3:arn"])
	via, _ := json.Marshal(key.Condition["StringEquals"]["kms:ViaService"])
	if key.Resource != folderKey || string(via) != `["s3.eu-central-1.amazonaws.com"]` ||
		string(context) != `["arn:aws:s3:::photos","arn:aws:s3:::photos/${saml:sub}/*"]` {
		t.Errorf("the key's statement is %+v", key)
	}
}

// TestFolder_KeyOfAPartition: where AWS's domain is another one, S3 counts under both.
func TestFolder_KeyOfAPartition(t *testing.T) {
	for region, want := range map[string]string{
		"cn-north-1":     `["s3.cn-north-1.amazonaws.com","s3.cn-north-1.amazonaws.com.cn"]`,
		"us-gov-west-1":  `["s3.us-gov-west-1.amazonaws.com"]`,
		"eusc-de-east-1": `["s3.eusc-de-east-1.amazonaws.com","s3.eusc-de-east-1.amazonaws.eu"]`,
	} {
		partition, _ := iam.PartitionOf(region)
		policy, err := iam.Folder{
			Partition: partition.ID,
			Bucket:    "photos",
			Key:       "arn:" + partition.ID + ":kms:" + region + ":123456789012:key/1234abcd",
		}.Policy()
		if err != nil {
			t.Fatal(err)
		}
		all := statementsOf(t, policy)
		via, _ := json.Marshal(all[3].Condition["StringEquals"]["kms:ViaService"])
		if string(via) != want {
			t.Errorf("%s: got %s", region, via)
		}
	}
}

func TestFolder_Refuses(t *testing.T) {
	for _, account := range []string{"1", "12345678901x", "1234567890123", "*", "${a}"} {
		f := iam.Folder{Partition: "aws", Bucket: "photos", Account: account}
		if got, err := f.Policy(); err == nil || got != "" {
			t.Errorf("the account %q gives %s", account, got)
		}
	}
	for key, want := range map[string]string{
		"1234abcd": "is not the ARN of a KMS key",
		"arn:aws:kms:eu-central-1:123456789012:alias/a":    "is an alias",
		"arn:aws:kms:eu-central-1:123456789012:key/*":      "is not the ARN of a KMS key",
		"arn:aws:kms:eu-central-1:123456789012:key/":       "is not the ARN of a KMS key",
		"arn:aws:kms:*:123456789012:key/1234abcd":          "is not the ARN of a KMS key",
		"arn:aws:kms:eu-central-1:*:key/1234abcd":          "is not the ARN of a KMS key",
		"arn:aws:kms::123456789012:key/1234abcd":           "is not the ARN of a KMS key",
		"arn:aws-cn:kms:eu-central-1:123456789012:key/1a":  "is not the ARN of a KMS key",
		"arn:aws:s3:eu-central-1:123456789012:key/1a":      "is not the ARN of a KMS key",
		"arn:aws:kms:eu-central-1:123456789012:key/${a}":   "is not the ARN of a KMS key",
		"arn:aws-cn:kms:cn-north-1:123456789012:key/1234a": "the partition aws-cn, and the bucket",
	} {
		f := iam.Folder{Partition: "aws", Bucket: "photos", Key: key}
		got, err := f.Policy()
		if err == nil || got != "" || !strings.Contains(err.Error(), want) ||
			f.CheckKey() == nil {
			t.Errorf("the key %q gives %v, %s", key, err, got)
		}
	}
}

func TestService_Refuses(t *testing.T) {
	at := iam.Place{Partition: "aws", Region: "eu-central-1", Account: "123456789012"}
	for _, s := range iam.Services() {
		for _, given := range []string{
			"", "*", "a*", "photos?", "${saml:sub}", "a b", `a"`, "phötos", "a\n",
			strings.Repeat("a", 256),
		} {
			if got, err := s.Policy(at, given); err == nil || got != "" {
				t.Errorf("%s: %q gives %s", s.Name, given, got)
			}
		}
		for _, wrong := range []iam.Place{
			{}, {Partition: "aws", Account: "123456789012"},
			{Partition: "aws", Region: "eu-central-1"},
			{Partition: "aws", Region: "eu-central-1", Account: "*"},
			{Partition: "aws-cn", Region: "eu-central-1", Account: "123456789012"},
			{Partition: "aws", Region: "*", Account: "123456789012"},
		} {
			if got, err := s.Policy(wrong, "photos"); err == nil || got != "" {
				t.Errorf("%s: %+v gives %s", s.Name, wrong, got)
			}
		}
	}
	if s, ok := iam.ServiceNamed("s3"); ok {
		t.Errorf("there is %+v", s)
	}
	if got, err := (iam.Service{}).Policy(at, "photos"); err == nil || got != "" {
		t.Errorf("no template gives %s", got)
	}
}

// TestService: every template has its source, names the place, and allows nothing without a
// condition or the subject in its resource.
func TestService(t *testing.T) {
	at := iam.Place{Partition: "aws-cn", Region: "cn-north-1", Account: "123456789012"}
	for _, s := range iam.Services() {
		named, ok := iam.ServiceNamed(s.Name)
		if !ok || named.Confines != s.Confines || s.Means == "" ||
			!strings.HasPrefix(s.Source, "https://docs.aws.amazon.com/") {
			t.Errorf("got %+v, %+v", s, named)
		}
		policy, err := s.Policy(at, "photos")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range statementsOf(t, policy) {
			confined := len(one.Condition) > 0 || strings.Contains(one.Resource, "${saml:sub}")
			if !confined || !strings.HasPrefix(one.Resource, "arn:aws-cn:") {
				t.Errorf("%s: %+v", s.Name, one)
			}
		}
	}
}
