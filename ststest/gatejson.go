package ststest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/iampolicy"
)

// JSONAccess returns what a request with the header X-Amz-Target needs. The action is the last
// part of that header, with the service that the request is signed for, as in
// dynamodb:GetItem. What is before it must be the service's own, such as DynamoDB_20120810, and the
// request a POST to the path / without a query. It knows the resources of these services:
//
//   - dynamodb: TableName, by name or ARN, with the index of IndexName for Query and Scan.
//   - secretsmanager: SecretId, by ARN or by name. The random end of a secret's ARN is -AbCdEf.
//   - kms: KeyId, by ID or ARN of a key, and not by an alias.
//   - sqs: the account and the name in QueueUrl, or QueueName of CreateQueue and GetQueueUrl, with
//     QueueOwnerAWSAccountId. A batch needs the action of a single message, such as
//     sqs:SendMessage.
//   - events: the buses of PutEvents.
//
// Its condition keys are events:source and events:detail-type, kms:CallerAccount, and
// kms:EncryptionContext:… with kms:EncryptionContextKeys. The Context of an access is never nil, so
// that a function of [Gate.Access] can add others.
//
// Other services and operations, and keys such as dynamodb:LeadingKeys, which depends on the key of
// a table, need a function of [Gate.Access].
func JSONAccess(r *SignedRequest) ([]Access, error) {
	t, err := newJSONTarget(r)
	if err != nil {
		return nil, err
	}
	switch r.Service {
	case "dynamodb":
		return t.dynamoDB()
	case "secretsmanager":
		return t.secret()
	case "kms":
		return t.key()
	case "sqs":
		return t.queue()
	}
	return t.events()
}

// A jsonTarget is a request with X-Amz-Target.
type jsonTarget struct {
	r      *SignedRequest
	name   string // of the operation
	action string
	body   map[string]any
}

// newJSONTarget reads a request as AWS's JSON protocols have it (Smithy, AWS JSON 1.0 protocol and
// AWS JSON 1.1 protocol: Protocol behaviors).
func newJSONTarget(r *SignedRequest) (*jsonTarget, error) {
	prefix, known := targetPrefixes[r.Service]
	if !known {
		return nil, fmt.Errorf("the gate does not know the resources of the service %q; "+
			"set Gate.Access", r.Service)
	}
	path := r.URL.EscapedPath()
	if r.Method != http.MethodPost || path != "" && path != "/" || r.URL.RawQuery != "" {
		return nil, errors.New("a request with X-Amz-Target must be a POST to the path / " +
			"without a query")
	}
	targets := r.Header.Values("X-Amz-Target")
	if len(targets) != 1 {
		return nil, errors.New("the request must have one header X-Amz-Target")
	}
	name, own := strings.CutPrefix(targets[0], prefix+".")
	if !own || name == "" || strings.Contains(name, ".") {
		return nil, fmt.Errorf("the X-Amz-Target %.80q is not %s. and an operation of %s",
			targets[0], prefix, r.Service)
	}
	var body map[string]any
	if err := json.Unmarshal(r.Payload, &body); err != nil || body == nil {
		return nil, errors.New("the body of the request is not a JSON object")
	}
	return &jsonTarget{r: r, name: name, action: r.Service + ":" + name, body: body}, nil
}

func (t *jsonTarget) text(name string) string {
	text, _ := t.body[name].(string)
	return text
}

// arn returns the ARN of a resource, or the value itself if it is one.
func (t *jsonTarget) arn(value, resource string) string {
	if strings.HasPrefix(value, "arn:") {
		return value
	}
	return strings.Join(
		[]string{"arn", t.r.Partition, t.r.Service, t.r.Region, t.r.Account, resource}, ":")
}

// ownARN is an ARN with an account, whose service is the first group.
var ownARN = newPattern(`\Aarn:[a-z-]+:([a-z]+):[^:]*:[0-9]{12}:.+\z`)

// isOwn reports whether an ARN is one of the service, with an account.
func (t *jsonTarget) isOwn(arn string) bool {
	found := ownARN.FindStringSubmatch(arn)
	return found != nil && found[1] == t.r.Service
}

// on returns the access to a resource. Its Context is never nil, so a function of Gate.Access can
// add keys.
func (t *jsonTarget) on(resource string, c iampolicy.Context) ([]Access, error) {
	if c == nil {
		c = iampolicy.Context{}
	}
	if resource != "*" && !t.isOwn(resource) {
		return t.unknown()
	}
	return []Access{{Action: t.action, Resource: resource, Context: c}}, nil
}

func (t *jsonTarget) unknown() ([]Access, error) {
	return nil, fmt.Errorf("the gate does not know the resource of %s in this request; "+
		"set Gate.Access", t.action)
}

// tableOperations are the operations of DynamoDB with one TableName (Amazon DynamoDB API
// Reference). Others find their tables elsewhere: in RequestItems, for example, or in a statement
// of PartiQL.
var tableOperations = []string{
	"CreateBackup", "CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups",
	"DescribeKinesisStreamingDestination", "DescribeTable", "DescribeTableReplicaAutoScaling",
	"DescribeTimeToLive", "DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination",
	"GetItem", "PutItem", "Query", "Scan", "UpdateContinuousBackups", "UpdateItem",
	"UpdateKinesisStreamingDestination", "UpdateTable", "UpdateTableReplicaAutoScaling",
	"UpdateTimeToLive",
}

func (t *jsonTarget) dynamoDB() ([]Access, error) {
	table := t.text("TableName")
	switch {
	case t.name == "ListTables":
		return t.on("*", nil)
	case table == "" || !slices.Contains(tableOperations, t.name):
		return t.unknown()
	}
	arn := t.arn(table, "table/"+table)
	index := t.text("IndexName")
	if index != "" && (t.name == "Query" || t.name == "Scan") {
		arn += "/index/" + index
	}
	// No transaction is among the operations.
	return t.on(arn, iampolicy.Context{"dynamodb:EnclosingOperation": nil})
}

func (t *jsonTarget) secret() ([]Access, error) {
	id := t.text("SecretId")
	switch t.name {
	case "ListSecrets", "GetRandomPassword":
		return t.on("*", nil)
	case "CreateSecret", "BatchGetSecretValue": // they have no SecretId
		return t.unknown()
	}
	if id == "" {
		return t.unknown()
	}
	return t.on(t.arn(id, "secret:"+id+"-AbCdEf"), nil)
}

// otherKeys are the operations of KMS whose key is not in KeyId, and those without a key (AWS KMS
// API Reference).
var otherKeys = []string{
	"CreateAlias", "CreateKey", "DeleteAlias", "GenerateRandom", "ListRetirableGrants", "ReEncrypt",
	"RetireGrant", "UpdateAlias", "ConnectCustomKeyStore", "CreateCustomKeyStore",
	"DeleteCustomKeyStore", "DescribeCustomKeyStores", "DisconnectCustomKeyStore",
	"UpdateCustomKeyStore",
}

func (t *jsonTarget) key() ([]Access, error) {
	id := t.text("KeyId")
	switch {
	case t.name == "ListKeys" || t.name == "ListAliases":
		return t.on("*", t.keyContext())
	case slices.Contains(otherKeys, t.name):
		return t.unknown()
	case id == "" || strings.HasPrefix(id, "alias/") || strings.Contains(id, ":alias/"):
		return t.unknown()
	}
	return t.on(t.arn(id, "key/"+id), t.keyContext())
}

// keyContext returns condition keys of KMS (AWS KMS Developer Guide, AWS KMS condition keys). The
// gate takes no alias, and no service of AWS calls it.
func (t *jsonTarget) keyContext() iampolicy.Context {
	c := iampolicy.Context{
		"kms:CallerAccount": {t.r.Account},
		"kms:ViaService":    nil,
		"kms:RequestAlias":  nil,
	}
	encrypts := t.name == "Encrypt" || t.name == "Decrypt" ||
		strings.HasPrefix(t.name, "GenerateDataKey")
	if !encrypts {
		return c
	}
	c["kms:EncryptionContext:"] = nil // there are no others than those below
	c["kms:EncryptionContextKeys"] = nil
	pairs, _ := t.body["EncryptionContext"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if text, ok := pairs[name].(string); ok {
			c["kms:EncryptionContext:"+name] = []string{text}
			c["kms:EncryptionContextKeys"] = append(c["kms:EncryptionContextKeys"], name)
		}
	}
	return c
}

func (t *jsonTarget) queue() ([]Access, error) {
	account := t.r.Account
	name := ""
	switch t.name {
	case "ListQueues":
		return t.on("*", nil)
	case "GetQueueUrl":
		if owner := t.text("QueueOwnerAWSAccountId"); owner != "" {
			account = owner
		}
		name = t.text("QueueName")
	case "CreateQueue":
		name = t.text("QueueName")
	case "CancelMessageMoveTask", "ListMessageMoveTasks", "StartMessageMoveTask": // no QueueUrl
		return t.unknown()
	default:
		parts := strings.Split(t.text("QueueUrl"), "/")
		if len(parts) < 5 {
			return t.unknown()
		}
		account = parts[len(parts)-2]
		name = parts[len(parts)-1]
	}
	if name == "" {
		return t.unknown()
	}
	// SendMessageBatch needs sqs:SendMessage, and there is no action of its own in IAM. The other
	// two batches are alike (Amazon SQS Developer Guide, Amazon SQS batch actions).
	t.action = strings.TrimSuffix(t.action, "Batch")
	return t.on(strings.Join(
		[]string{"arn", t.r.Partition, "sqs", t.r.Region, account, name}, ":"), nil)
}

func (t *jsonTarget) events() ([]Access, error) {
	entries, _ := t.body["Entries"].([]any)
	if t.name != "PutEvents" || len(entries) == 0 {
		return t.unknown()
	}
	var all []Access
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		bus, _ := e["EventBusName"].(string)
		if bus == "" {
			bus = "default"
		}
		c := iampolicy.Context{}
		for name, key := range map[string]string{
			"Source": "events:source", "DetailType": "events:detail-type",
		} {
			c[key] = nil
			if text, ok := e[name].(string); ok {
				c[key] = []string{text}
			}
		}
		on, err := t.on(t.arn(bus, "event-bus/"+bus), c)
		if err != nil {
			return nil, err
		}
		all = append(all, on...)
	}
	return all, nil
}
