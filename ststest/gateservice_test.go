package ststest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/ststest"
)

// targeted returns a request with X-Amz-Target, signed for a service.
func (g *gated) targeted(
	t *testing.T, method, url, service, target, body string,
) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", hashOf(body))
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	g.sign(t, r, hashOf(body), service)
	return r
}

// TestGate_OtherAccount: an identity policy does not allow what is in another account, wherever the
// request names the account.
func TestGate_OtherAccount(t *testing.T) {
	const other = "eu-central-1:999999999999:"
	for _, row := range []struct{ service, target, own, others string }{
		{"sqs", "AmazonSQS.SendMessage",
			`{"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/q"}`,
			`{"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/999999999999/q"}`},
		{"sqs", "AmazonSQS.GetQueueUrl", `{"QueueName": "q"}`,
			`{"QueueName": "q", "QueueOwnerAWSAccountId": "999999999999"}`},
		{"dynamodb", "DynamoDB_20120810.GetItem", `{"TableName": "t"}`,
			`{"TableName": "arn:aws:dynamodb:` + other + `table/t"}`},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`,
			`{"SecretId": "arn:aws:secretsmanager:` + other + `secret:s-AbCdEf"}`},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`,
			`{"KeyId": "arn:aws:kms:` + other + `key/k"}`},
		{"events", "AWSEvents.PutEvents", `{"Entries": [{"EventBusName": "b"}]}`,
			`{"Entries": [{"EventBusName": "arn:aws:events:` + other + `event-bus/b"}]}`},
	} {
		url := "https://" + row.service + ".eu-central-1.amazonaws.com/"
		for body, want := range map[string]string{
			row.own: "200", row.others: "400 AccessDeniedException",
		} {
			g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
			r := g.targeted(t, "POST", url, row.service, row.target, body)
			if got := g.answer(r); got != want {
				t.Errorf("%s %s: got %s, want %s: %s", row.target, body, got, want, g.lastCause())
			}
		}
	}
	for resource, want := range map[string]string{
		"arn:aws:bedrock:eu-central-1:123456789012:prompt/p": "200",
		"arn:aws:bedrock:eu-central-1:999999999999:prompt/p": "403 AccessDeniedException",
		"arn:aws:bedrock:eu-central-1::foundation-model/m":   "200",
	} {
		ask := func(*ststest.SignedRequest) ([]ststest.Access, error) {
			return []ststest.Access{{Action: "bedrock:InvokeModel", Resource: resource}}, nil
		}
		g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{Access: ask})
		r := g.request(t, "POST", "https://bedrock.eu-central-1.amazonaws.com/model/x", "x",
			"bedrock")
		if got := g.answer(r); got != want {
			t.Errorf("%s: got %s, want %s: %s", resource, got, want, g.lastCause())
		}
	}
}

// TestGate_Service: a request that is signed for one service does not reach the fake of another.
func TestGate_Service(t *testing.T) {
	const queue = `{"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/q",
		"QueueName": "q", "TableName": "t"}`
	const s3 = "https://s3.eu-central-1.amazonaws.com"
	const local = "http://127.0.0.1:9000"
	for _, row := range []struct {
		name                         string
		services                     []string
		method, url, service, target string
		want                         string
	}{
		{"its own", nil, "POST", "https://sqs.eu-central-1.amazonaws.com/", "sqs",
			"AmazonSQS.SendMessage", "200"},
		{"local", nil, "POST", local + "/", "sqs", "AmazonSQS.SendMessage", "200"},
		{"local and named", []string{"s3", "sqs"}, "POST", local + "/", "sqs",
			"AmazonSQS.SendMessage", "200"},
		{"an object of S3", nil, "PUT", s3 + "/photos/bob/x", "sqs", "AmazonSQS.SendMessage",
			"400 AuthorizationHeaderMalformed"},
		{"S3", nil, "POST", s3 + "/", "sqs", "AmazonSQS.SendMessage",
			"400 AuthorizationHeaderMalformed"},
		{"a local S3", []string{"s3"}, "POST", local + "/", "sqs", "AmazonSQS.SendMessage",
			"400 AuthorizationHeaderMalformed"},
		{"a path", nil, "PUT", local + "/photos/bob/x", "sqs", "AmazonSQS.SendMessage",
			"501 UnknownOperationException"},
		{"a POST to a path", nil, "POST", local + "/photos", "sqs", "AmazonSQS.SendMessage",
			"501 UnknownOperationException"},
		{"a query", nil, "POST", local + "/?delete", "sqs", "AmazonSQS.SendMessage",
			"501 UnknownOperationException"},
		{"another method", nil, "PUT", local + "/", "sqs", "AmazonSQS.SendMessage",
			"501 UnknownOperationException"},
		{"a target of DynamoDB", nil, "POST", local + "/", "sqs",
			"DynamoDB_20120810.DeleteTable", "400 InvalidSignatureException"},
		{"a target of DynamoDB for S3", nil, "PUT", local + "/photos/x", "s3",
			"DynamoDB_20120810.DeleteTable", "400 InvalidSignatureException"},
		{"a host of DynamoDB", nil, "POST", "https://dynamodb.eu-central-1.amazonaws.com/", "sqs",
			"AmazonSQS.SendMessage", "400 InvalidSignatureException"},
		{"a local DynamoDB", []string{"dynamodb"}, "POST", local + "/", "sqs",
			"AmazonSQS.SendMessage", "400 InvalidSignatureException"},
	} {
		g := newGated(t, ststest.Role{Policies: []string{allowAll}},
			ststest.Gate{Services: row.services})
		r := g.targeted(t, row.method, row.url, row.service, row.target, queue)
		if got := g.answer(r); got != row.want || (len(g.passed) > 0) != (row.want == "200") {
			t.Errorf("%s: got %s, want %s: %s", row.name, got, row.want, g.lastCause())
		}
	}
	// Nobody is anonymous at other services.
	g := newGated(t, ststest.Role{}, ststest.Gate{Services: []string{"sqs"}})
	got := g.answer(httptest.NewRequest("GET", local+"/", nil))
	if got != "400 MissingAuthenticationTokenException" {
		t.Errorf("anonymous: got %s: %s", got, g.lastCause())
	}
}

// TestJSONAccess_TwoTargets: a request has one operation.
func TestJSONAccess_TwoTargets(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	r := g.targeted(t, "POST", "https://kms.eu-central-1.amazonaws.com/", "kms",
		"TrentService.Decrypt", `{"KeyId": "k"}`)
	r.Header.Add("X-Amz-Target", "TrentService.ScheduleKeyDeletion")
	g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "kms")
	if got := g.answer(r); got != "501 UnknownOperationException" {
		t.Errorf("got %s: %s", got, g.lastCause())
	}
}
