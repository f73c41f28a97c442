package iam_test

import (
	"maps"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/internal/iam"
)

// ask is a request of a session, and whether it is to be allowed.
type ask struct {
	action, resource string
	context          iampolicy.Context
	allowed          bool
}

// alice is a session with the subject alice and the tag team: press.
func alice(more iampolicy.Context) iampolicy.Request {
	context := iampolicy.Context{
		"saml:sub":              {"alice"},
		"aws:PrincipalTag/team": {"press"},
		"aws:ResourceAccount":   {"123456789012"},
	}
	maps.Copy(context, more)
	return iampolicy.Request{
		Principal: iampolicy.Principal{
			ARN: "arn:aws:sts::123456789012:assumed-role/photo-user/alice",
		},
		Context: context,
	}
}

// prove evaluates a policy for requests of alice.
func prove(t *testing.T, name, policy string, asks []ask) {
	t.Helper()
	parsed, err := iampolicy.Parse(policy)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	set := iampolicy.Set{Identity: []*iampolicy.Policy{parsed}}
	for _, a := range asks {
		request := alice(a.context)
		request.Action = a.action
		request.Resource = a.resource
		decision, err := set.Decide(request)
		if err != nil || decision.Allowed() != a.allowed {
			t.Errorf("%s: %s on %s with %v: got %v, %v", name, a.action, a.resource, a.context,
				decision, err)
		}
	}
}

// TestFolder_Proof: alice may use her folder, and nothing of another's or of the bucket.
func TestFolder_Proof(t *testing.T) {
	policy, err := iam.Folder{
		Partition: "aws", Bucket: "photos", Account: "123456789012", Key: folderKey,
	}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	const bucket = "arn:aws:s3:::photos"
	prefix := func(s string) iampolicy.Context { return iampolicy.Context{"s3:prefix": {s}} }
	acl := func(s string) iampolicy.Context { return iampolicy.Context{"s3:x-amz-acl": {s}} }
	elsewhere := iampolicy.Context{"aws:ResourceAccount": {"999999999999"}}
	asks := []ask{
		{"s3:ListBucket", bucket, prefix("alice/"), true},
		{"s3:ListBucket", bucket, prefix("alice/2026/"), true},
		{"s3:ListBucket", bucket, iampolicy.Context{
			"s3:prefix": {"alice/"}, "s3:delimiter": {"/"}, "s3:max-keys": {"1"},
		}, true},
		{"s3:ListBucket", bucket, prefix("alice"), false},
		{"s3:ListBucket", bucket, prefix("alice2/"), false},
		{"s3:ListBucket", bucket, prefix(""), false},
		{"s3:ListBucket", bucket, prefix("al"), false},
		{"s3:ListBucket", bucket, prefix("bob/"), false},
		{"s3:ListBucket", bucket, nil, false},
		{"s3:ListBucket", bucket + "2", prefix("alice/"), false},
		{"s3:ListBucket", bucket, iampolicy.Context{
			"s3:prefix": {"alice/"}, "aws:ResourceAccount": {"999999999999"},
		}, false},
		{"s3:GetObject", bucket + "/alice/a", elsewhere, false},
		{"s3:ListBucketMultipartUploads", bucket, prefix("alice/"), false},
		{"s3:ListBucketVersions", bucket, prefix("alice/"), false},
		{"s3:GetBucketLocation", bucket, nil, false},
		{"s3:ListAllMyBuckets", "*", nil, false},
		{"s3:PutObjectAcl", bucket + "/alice/a", acl("private"), true},
		{"s3:PutObjectAcl", bucket + "/alice/a", acl("bucket-owner-full-control"), true},
		{"s3:PutObjectAcl", bucket + "/alice/a", acl("public-read"), false},
		{"s3:PutObjectAcl", bucket + "/alice/a", acl("authenticated-read"), false},
		{"s3:PutObjectAcl", bucket + "/alice/a", nil, false}, // grants in headers or in the body
		{"s3:PutObjectAcl", bucket + "/bob/a", acl("private"), false},
		{"s3:DeleteObjectVersion", bucket + "/alice/a", nil, false},
	}
	for _, action := range []string{
		"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
		"s3:ListMultipartUploadParts",
	} {
		asks = append(asks,
			ask{action, bucket + "/alice/a", nil, true},
			ask{action, bucket + "/alice/a/b.jpg", nil, true},
			ask{action, bucket + "/alice/", nil, true}, // a folder, as the console makes one
			ask{action, bucket + "/alice", nil, false},
			ask{action, bucket + "/alice2/a", nil, false},
			ask{action, bucket + "/bob/a", nil, false},
			ask{action, bucket + "/bob/alice/a", nil, false},
			ask{action, "arn:aws:s3:::photos2/alice/a", nil, false},
		)
	}
	through := func(service, context string) iampolicy.Context {
		return iampolicy.Context{
			"kms:ViaService":                   {service},
			"kms:EncryptionContext:aws:s3:arn": {context},
		}
	}
	const s3 = "s3.eu-central-1.amazonaws.com"
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
		asks = append(asks,
			ask{action, folderKey, through(s3, bucket+"/alice/a"), true},
			ask{action, folderKey, through(s3, bucket), true}, // an S3 Bucket Key
			ask{action, folderKey, through(s3, bucket+"/bob/a"), false},
			ask{action, folderKey, through(s3, bucket+"2"), false},
			ask{action, folderKey, through("s3.eu-west-1.amazonaws.com", bucket+"/alice/a"), false},
			ask{action, folderKey, through("ec2.eu-central-1.amazonaws.com", bucket), false},
			ask{action, folderKey, nil, false},
			ask{action, folderKey + "2", through(s3, bucket+"/alice/a"), false},
		)
	}
	prove(t, "folder", policy, append(asks,
		ask{"kms:Encrypt", folderKey, through(s3, bucket), false}))
}

// TestService_Proof: alice of the team press may use what is hers, and nothing of others.
func TestService_Proof(t *testing.T) {
	at := iam.Place{Partition: "aws", Region: "eu-central-1", Account: "123456789012"}
	const here = ":eu-central-1:123456789012:"
	tagged := func(value string) iampolicy.Context {
		return iampolicy.Context{"aws:ResourceTag/team": {value}}
	}
	leading := func(keys ...string) iampolicy.Context {
		return iampolicy.Context{"dynamodb:LeadingKeys": keys}
	}
	from := func(sources ...string) iampolicy.Context {
		return iampolicy.Context{"events:source": sources}
	}
	profile := "arn:aws:bedrock" + here + "application-inference-profile/a1b2"
	model := "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"
	by := func(profile string) iampolicy.Context {
		return iampolicy.Context{"bedrock:InferenceProfileArn": {profile}}
	}
	table := "arn:aws:dynamodb" + here + "table/photos"
	secret := "arn:aws:secretsmanager" + here + "secret:press-AbCdEf"
	key := "arn:aws:kms" + here + "key/1234abcd"
	bus := "arn:aws:events" + here + "event-bus/photos"
	queue := "arn:aws:sqs" + here + "photos-"
	rows := map[string][]ask{
		"dynamodb": {
			{"dynamodb:GetItem", table, leading("alice"), true},
			{"dynamodb:BatchWriteItem", table, leading("alice", "alice"), true},
			{"dynamodb:GetItem", table, leading("bob"), false},
			{"dynamodb:GetItem", table, leading("alice2"), false},
			{"dynamodb:BatchGetItem", table, leading("alice", "bob"), false},
			{"dynamodb:Query", table, nil, false},
			{"dynamodb:Scan", table, nil, false},
			{"dynamodb:Scan", table, leading("alice"), false},
			{"dynamodb:Query", table + "/index/by-date", leading("alice"), false},
			{"dynamodb:GetItem", table + "2", leading("alice"), false},
			{"dynamodb:DeleteTable", table, nil, false},
		},
		"secrets-manager": {
			{"secretsmanager:GetSecretValue", secret, tagged("press"), true},
			{"secretsmanager:DescribeSecret", secret, tagged("press"), true},
			{"secretsmanager:GetSecretValue", secret, tagged("sales"), false},
			{"secretsmanager:GetSecretValue", secret, nil, false},
			{"secretsmanager:TagResource", secret, tagged("press"), false},
			{"secretsmanager:PutSecretValue", secret, tagged("press"), false},
		},
		"kms": {
			{"kms:Decrypt", key, tagged("press"), true},
			{"kms:GenerateDataKey", key, tagged("press"), true},
			{"kms:Decrypt", key, tagged("sales"), false},
			{"kms:Decrypt", key, nil, false},
			{"kms:TagResource", key, tagged("press"), false},
			{"kms:ScheduleKeyDeletion", key, tagged("press"), false},
		},
		"bedrock": {
			{"bedrock:InvokeModel", profile, tagged("press"), true},
			{"bedrock:InvokeModelWithResponseStream", profile, tagged("press"), true},
			{"bedrock:InvokeModel", model, by(profile), true},
			{"bedrock:InvokeModel", profile, tagged("sales"), false},
			{"bedrock:InvokeModel", profile, nil, false},
			{"bedrock:InvokeModel", model, nil, false},
			{"bedrock:InvokeModel", model,
				by("arn:aws:bedrock" + here + "inference-profile/eu.amazon.nova-lite-v1:0"), false},
			{"bedrock:TagResource", profile, tagged("press"), false},
		},
		"eventbridge": {
			{"events:PutEvents", bus, from("photos.alice"), true},
			{"events:PutEvents", bus, from("photos.bob"), false},
			{"events:PutEvents", bus, from("photos.alice", "photos.bob"), false},
			{"events:PutEvents", bus, from("photos.alice2"), false},
			{"events:PutEvents", bus, nil, false},
			{"events:PutEvents", "arn:aws:events" + here + "event-bus/default",
				from("photos.alice"), false},
			{"events:PutRule", bus, from("photos.alice"), false},
		},
		"sqs": {
			{"sqs:SendMessage", queue + "alice", nil, true},
			{"sqs:ReceiveMessage", queue + "alice", nil, true},
			{"sqs:SendMessage", queue + "bob", nil, false},
			{"sqs:SendMessage", queue + "alice-b", nil, false},
			{"sqs:SendMessage", queue + "alice.fifo", nil, false},
			{"sqs:DeleteQueue", queue + "alice", nil, false},
		},
	}
	for _, s := range iam.Services() {
		given := "photos"
		if s.Needs == "by-tag" {
			given = "team"
		}
		policy, err := s.Policy(at, given)
		if err != nil || len(rows[s.Name]) == 0 {
			t.Fatalf("%s: %v, and %d rows", s.Name, err, len(rows[s.Name]))
		}
		prove(t, s.Name, policy, rows[s.Name])
	}
}

// TestService_NoTag: a session without the tag has nothing, also of resources without one.
func TestService_NoTag(t *testing.T) {
	at := iam.Place{Partition: "aws", Region: "eu-central-1", Account: "123456789012"}
	for _, s := range iam.Services() {
		if s.Needs != "by-tag" {
			continue
		}
		policy, err := s.Policy(at, "squad")
		if err != nil {
			t.Fatal(err)
		}
		for _, tags := range []iampolicy.Context{
			nil, {"aws:ResourceTag/squad": {""}}, {"aws:ResourceTag/squad": {"press"}},
			{"aws:ResourceTag/squad": {"${aws:PrincipalTag/squad}"}},
		} {
			prove(t, s.Name, policy, []ask{
				{"secretsmanager:GetSecretValue",
					"arn:aws:secretsmanager:eu-central-1:123456789012:secret:a", tags, false},
				{"kms:Decrypt", "arn:aws:kms:eu-central-1:123456789012:key/1", tags, false},
				{"bedrock:InvokeModel",
					"arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a",
					tags, false},
			})
		}
	}
}
