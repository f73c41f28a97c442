package ststest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/iampolicy"
)

// JSONAccess returns what a request with the header X-Amz-Target needs. The action is the last
// part of that header, with the service that the request is signed for, as in
// dynamodb:GetItem. It knows the resources of these services:
//
//   - dynamodb: TableName, with the index of IndexName, by name or ARN.
//   - secretsmanager: SecretId, by ARN or by name. The random end of a secret's ARN is -AbCdEf.
//   - kms: KeyId, by ID or ARN of a key, and not by an alias.
//   - sqs: the account and the name in QueueUrl, or QueueName. A batch needs the action of a
//     single message, such as sqs:SendMessage.
//   - events: the buses of PutEvents, with events:source and events:detail-type.
//
// Other services, and dynamodb:LeadingKeys, which depends on the key of a table, need a function
// of [Gate.Access].
func JSONAccess(r *SignedRequest) ([]Access, error) {
	target := r.Header.Get("X-Amz-Target")
	name := target[strings.LastIndexByte(target, '.')+1:]
	var body map[string]any
	if err := json.Unmarshal(r.Payload, &body); name == "" || err != nil || body == nil {
		return nil, errors.New(
			"the request has no X-Amz-Target with an operation, or no JSON object")
	}
	t := &jsonTarget{r: r, action: r.Service + ":" + name, body: body}
	switch r.Service {
	case "dynamodb":
		return t.dynamoDB()
	case "secretsmanager":
		return t.secret()
	case "kms":
		return t.key()
	case "sqs":
		return t.queue()
	case "events":
		return t.events()
	}
	return nil, fmt.Errorf("the gate does not know the resources of the service %q; "+
		"set Gate.Access", r.Service)
}

// A jsonTarget is a request with X-Amz-Target.
type jsonTarget struct {
	r      *SignedRequest
	action string
	body   map[string]any
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

func (t *jsonTarget) on(resource string, c iampolicy.Context) ([]Access, error) {
	return []Access{{Action: t.action, Resource: resource, Context: c}}, nil
}

func (t *jsonTarget) unknown() ([]Access, error) {
	return nil, fmt.Errorf("the gate does not know the resource of %s in this request; "+
		"set Gate.Access", t.action)
}

func (t *jsonTarget) dynamoDB() ([]Access, error) {
	table := t.text("TableName")
	switch {
	case t.action == "dynamodb:ListTables":
		return t.on("*", nil)
	case table == "":
		return t.unknown()
	}
	arn := t.arn(table, "table/"+table)
	if index := t.text("IndexName"); index != "" {
		arn += "/index/" + index
	}
	return t.on(arn, nil)
}

func (t *jsonTarget) secret() ([]Access, error) {
	id := t.text("SecretId")
	switch {
	case t.action == "secretsmanager:ListSecrets" ||
		t.action == "secretsmanager:GetRandomPassword":
		return t.on("*", nil)
	case id == "":
		return t.unknown()
	}
	return t.on(t.arn(id, "secret:"+id+"-AbCdEf"), nil)
}

func (t *jsonTarget) key() ([]Access, error) {
	id := t.text("KeyId")
	switch {
	case t.action == "kms:ListKeys" || t.action == "kms:ListAliases":
		return t.on("*", nil)
	case id == "" || strings.HasPrefix(id, "alias/") || strings.Contains(id, ":alias/"):
		return t.unknown()
	}
	return t.on(t.arn(id, "key/"+id), nil)
}

func (t *jsonTarget) queue() ([]Access, error) {
	if t.action == "sqs:ListQueues" {
		return t.on("*", nil)
	}
	// SendMessageBatch needs sqs:SendMessage, and there is no action of its own in IAM. The other
	// two batches are alike (Amazon SQS Developer Guide, Amazon SQS batch actions).
	t.action = strings.TrimSuffix(t.action, "Batch")
	name := t.text("QueueName")
	account := t.r.Account
	if address := t.text("QueueUrl"); address != "" {
		parts := strings.Split(address, "/")
		if len(parts) < 5 {
			return t.unknown()
		}
		account = parts[len(parts)-2]
		name = parts[len(parts)-1]
	}
	if name == "" {
		return t.unknown()
	}
	return t.on(strings.Join(
		[]string{"arn", t.r.Partition, "sqs", t.r.Region, account, name}, ":"), nil)
}

func (t *jsonTarget) events() ([]Access, error) {
	entries, _ := t.body["Entries"].([]any)
	if t.action != "events:PutEvents" || len(entries) == 0 {
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
			if text, ok := e[name].(string); ok {
				c[key] = []string{text}
			}
		}
		all = append(all, Access{
			Action: t.action, Resource: t.arn(bus, "event-bus/"+bus), Context: c,
		})
	}
	return slices.Clip(all), nil
}
