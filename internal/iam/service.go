package iam

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Place is where the resources of a policy are.
type Place struct {
	// Partition, Region and Account are those of the resources' ARNs.
	Partition, Region, Account string
}

// arn is the ARN of a resource there.
func (p Place) arn(service, resource string) string {
	return strings.Join([]string{"arn", p.Partition, service, p.Region, p.Account, resource}, ":")
}

// Service is a template of a permission policy, which confines each user to resources or items of
// an AWS service: by ${saml:sub}, or by a session tag that a resource has too.
type Service struct {
	// Name is what the template is called, such as dynamodb.
	Name string

	// Needs is the flag that tells the resources: resource or by-tag.
	Needs string

	// Means says what the value of that flag is.
	Means string

	// Confines says what is a user's own.
	Confines string

	// Source is the page of AWS's documentation that the policy follows.
	Source string

	form       string // a pattern of what is given
	like       string // the same in words
	statements func(at Place, given string) []statement
}

// The names that resources can have, and the keys of tags. Services have these limits in their API
// references: TableName, EventBusName, and QueueName, which leaves 39 characters to a subject.
const (
	tableName = `\A[a-zA-Z0-9_.-]{3,255}\z`
	busName   = `\A[a-zA-Z0-9_.-]{1,190}\z`
	queueName = `\A[a-zA-Z0-9_-]{1,40}\z`
	tagKey    = `\A[a-zA-Z0-9_.:/=+@-]{1,128}\z`
)

// Services returns the templates, in the order in which they are listed.
func Services() []Service {
	return []Service{
		{
			Name:       "dynamodb",
			Needs:      "resource",
			Means:      "the name of a table",
			Confines:   "items whose partition key is ${saml:sub}",
			Source:     docs + "amazondynamodb/latest/developerguide/specifying-conditions.html",
			form:       tableName,
			like:       "the name of a table: 3 to 255 letters, digits and _.-",
			statements: dynamoDB,
		},
		{
			Name:       "secrets-manager",
			Needs:      "by-tag",
			Means:      "the key of a tag that sessions and secrets have",
			Confines:   "reading secrets whose tag equals the session's",
			Source:     docs + "secretsmanager/latest/userguide/auth-and-access-abac.html",
			form:       tagKey,
			like:       likeTag,
			statements: secretsManager,
		},
		{
			Name:       "kms",
			Needs:      "by-tag",
			Means:      "the key of a tag that sessions and KMS keys have",
			Confines:   "using keys whose tag equals the session's",
			Source:     docs + "kms/latest/developerguide/abac.html",
			form:       tagKey,
			like:       likeTag,
			statements: kms,
		},
		{
			Name:       "bedrock",
			Needs:      "by-tag",
			Means:      "the key of a tag that sessions and application inference profiles have",
			Confines:   "application inference profiles whose tag does so",
			Source:     docs + "bedrock/latest/userguide/inference-profiles-prereq.html",
			form:       tagKey,
			like:       likeTag,
			statements: bedrock,
		},
		{
			Name:       "eventbridge",
			Needs:      "resource",
			Means:      "the name of an event bus",
			Confines:   "sending events with the source RESOURCE.${saml:sub}",
			Source:     docs + "eventbridge/latest/userguide/eb-use-conditions.html",
			form:       busName,
			like:       "the name of an event bus: 1 to 190 letters, digits and _.-",
			statements: eventBridge,
		},
		{
			Name:     "sqs",
			Needs:    "resource",
			Means:    "the prefix of the queues' names",
			Confines: "the queue RESOURCE-${saml:sub}",
			Source: docs + "AWSSimpleQueueService/latest/SQSDeveloperGuide/" +
				"sqs-using-identity-based-policies.html",
			form:       queueName,
			like:       "the beginning of a queue's name: 1 to 40 letters, digits and _-",
			statements: sqs,
		},
	}
}

const (
	docs    = "https://docs.aws.amazon.com/"
	likeTag = "the key of a tag: 1 to 128 letters without accents, digits and _.:/=+@-"
)

// ServiceNamed returns the template of that name; false if there is none.
func ServiceNamed(name string) (Service, bool) {
	all := Services()
	i := slices.IndexFunc(all, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, false
	}
	return all[i], true
}

// Policy returns the permission policy for a resource's name or a tag's key, as Needs says.
func (s Service) Policy(at Place, given string) (string, error) {
	switch {
	case s.statements == nil:
		return "", errors.New("there is no such template")
	case !isRegionOf(at.Partition, at.Region):
		return "", errors.New("no region is set")
	case !account().MatchString(at.Account):
		return "", fmt.Errorf("the account %.80q does not have 12 digits", at.Account)
	case !regexp.MustCompile(s.form).MatchString(given):
		return "", fmt.Errorf("%.80q is not %s", given, s.like)
	}
	return policyText(s.statements(at, given)...)
}

// sameTag requires that a resource has the tag of the session. Without either of the two the
// condition does not hold (IAM User Guide, "Policy elements: Variables and tags").
func sameTag(key string) map[string]condition {
	return map[string]condition{"StringEquals": {
		"aws:ResourceTag/" + key: "${aws:PrincipalTag/" + key + "}",
	}}
}

// own requires that a multivalued key is present and that each of its values is this one.
// ForAllValues alone would also match an absent key (IAM User Guide, "Set operators for multivalued
// context keys").
func own(key, value string) map[string]condition {
	return map[string]condition{
		"ForAllValues:StringEquals": {key: value},
		"Null":                      {key: "false"},
	}
}

// dynamoDB leaves out Scan, which reads other users' items too, and indexes, whose partition key is
// another attribute.
func dynamoDB(at Place, table string) []statement {
	return []statement{{
		Effect: "Allow",
		Action: []string{
			"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem",
			"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
		},
		Resource:  at.arn("dynamodb", "table/"+table),
		Condition: own("dynamodb:LeadingKeys", "${saml:sub}"),
	}}
}

func secretsManager(at Place, tag string) []statement {
	return []statement{{
		Effect:    "Allow",
		Action:    []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"},
		Resource:  at.arn("secretsmanager", "secret:*"),
		Condition: sameTag(tag),
	}}
}

func kms(at Place, tag string) []statement {
	return []statement{{
		Effect: "Allow",
		Action: []string{
			"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey",
		},
		Resource:  at.arn("kms", "key/*"),
		Condition: sameTag(tag),
	}}
}

// bedrock also allows the models of a profile, in every region that the profile may use. The
// condition leaves out calls of a model that name no profile. The first statement decides about the
// profile.
func bedrock(at Place, tag string) []statement {
	actions := []string{"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}
	profiles := at.arn("bedrock", "application-inference-profile/*")
	return []statement{
		{
			Effect:    "Allow",
			Action:    actions,
			Resource:  profiles,
			Condition: sameTag(tag),
		},
		{
			Effect:   "Allow",
			Action:   actions,
			Resource: "arn:" + at.Partition + ":bedrock:*::foundation-model/*",
			Condition: map[string]condition{
				"ArnLike": {"bedrock:InferenceProfileArn": profiles},
			},
		},
	}
}

func eventBridge(at Place, bus string) []statement {
	return []statement{{
		Effect:    "Allow",
		Action:    "events:PutEvents",
		Resource:  at.arn("events", "event-bus/"+bus),
		Condition: own("events:source", bus+".${saml:sub}"),
	}}
}

// sqs leaves out FIFO queues, whose names end with .fifo: the FIFO queue of one user would be the
// queue of another user whose subject ends with .fifo. A * after the subject would let alice have
// the queue of alice-b.
func sqs(at Place, prefix string) []statement {
	return []statement{{
		Effect: "Allow",
		Action: []string{
			"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage",
			"sqs:ChangeMessageVisibility", "sqs:GetQueueUrl", "sqs:GetQueueAttributes",
		},
		Resource: at.arn("sqs", prefix+"-${saml:sub}"),
	}}
}
