package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	small = "amazon.nova-micro-v1:0"
	large = "amazon.nova-premier-v1:0"
)

// permissions let everyone with a team use the small model, and the team research also the large
// one. The Converse API needs bedrock:InvokeModel.
const permissions = `{"Version": "2012-10-17", "Statement": [
	{
		"Effect": "Allow",
		"Action": "bedrock:InvokeModel",
		"Resource": "arn:aws:bedrock:*::foundation-model/amazon.nova-micro-v1:0",
		"Condition": {"Null": {"aws:PrincipalTag/team": "false"}}
	},
	{
		"Effect": "Allow",
		"Action": "bedrock:InvokeModel",
		"Resource": "arn:aws:bedrock:*::foundation-model/*",
		"Condition": {"StringEquals": {"aws:PrincipalTag/team": "research"}}
	}
]}`

// demo is the gateway, with an issuer, an STS and a Bedrock in memory.
type demo struct {
	*delegationtest.World

	url    string // of the gateway
	closes []func()
}

func openDemo(ctx context.Context) (*demo, error) {
	world, err := delegationtest.Open()
	if err != nil {
		return nil, err
	}
	d := &demo{World: world, closes: []func(){world.Close}}
	if err := d.start(ctx); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *demo) start(ctx context.Context) error {
	d.Clock.Set(time.Now()) // the SDK signs with the real time
	err := d.STS.PutRole(ststest.Role{
		ARN:         delegationtest.Role,
		TrustPolicy: delegationtest.TrustPolicy,
		Policies:    []string{permissions},
	})
	if err != nil {
		return err
	}
	d.Config.Rules = rules()
	delegator, err := d.World.Start(ctx)
	if err != nil {
		return err
	}
	// The gate checks each signature and evaluates the policies, before the fake answers.
	bedrock := d.serve(d.STS.Gate(http.HandlerFunc(fakeBedrock), ststest.Gate{Access: access}))
	client := newBedrock(delegator, delegationtest.Target, aws.Config{
		Region:       delegationtest.Region,
		BaseEndpoint: aws.String(bedrock),
	})
	handler, err := newGateway(delegator, delegationtest.Target, client)
	if err != nil {
		return err
	}
	d.url = d.serve(handler)
	return nil
}

func (d *demo) serve(handler http.Handler) string {
	server := httptest.NewServer(handler)
	d.closes = append(d.closes, server.Close)
	return server.URL
}

func (d *demo) close() {
	for _, end := range d.closes {
		end()
	}
}

// access says what a request to Bedrock asks for: POST /model/MODEL/converse.
func access(r *ststest.SignedRequest) ([]ststest.Access, error) {
	escaped, converse := strings.CutSuffix(r.URL.EscapedPath(), "/converse")
	escaped, model := strings.CutPrefix(escaped, "/model/")
	name, err := url.PathUnescape(escaped)
	if !converse || !model || err != nil || r.Service != "bedrock" {
		return nil, errors.New("not a call of Converse")
	}
	resource := fmt.Sprintf("arn:%s:bedrock:%s::foundation-model/%s", r.Partition, r.Region, name)
	return []ststest.Access{{Action: "bedrock:InvokeModel", Resource: resource}}, nil
}

// fakeBedrock answers every prompt with the prompt's length.
func fakeBedrock(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Messages []struct{ Content []struct{ Text string } }
	}
	err := json.NewDecoder(r.Body).Decode(&q)
	if err != nil || len(q.Messages) != 1 || len(q.Messages[0].Content) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	text := fmt.Sprintf("Your prompt has %d characters.", len(q.Messages[0].Content[0].Text))
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"output": {"message": {"role": "assistant", "content": [{"text": %q}]}},
		"stopReason": "end_turn", "metrics": {"latencyMs": 1},
		"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}`, text)
}

// ask sends a prompt to the gateway, without a token if token is empty.
func (d *demo) ask(ctx context.Context, token, model string) (status int, body string, err error) {
	text := fmt.Sprintf(`{"model": %q, "prompt": "What is a cost centre?"}`, model)
	target := d.url + "/converse"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body)
	return a.StatusCode, strings.TrimSpace(string(answer)), err
}

// person returns the claims of a user.
func person(name, team, costCentre string) map[string]any {
	return map[string]any{
		"sub":            "auth0|" + name,
		"email":          name + "@example.com",
		"email_verified": true,
		"team":           team,
		"cost_center":    costCentre,
	}
}

// demonstrate asks as two users, and is refused in three ways.
func demonstrate(ctx context.Context, out io.Writer) error {
	d, err := openDemo(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	mallory := person("mallory", "research", "4711")
	mallory["email_verified"] = false
	for _, row := range []struct{ who, token, model string }{
		{"Alice, of the team research, asks the large model", d.Token(person("alice", "research",
			"4711")), large},
		{"Bob, of the team press, asks the small model", d.Token(person("bob", "press", "1234")),
			small},
		{"Bob asks the large model", d.Token(person("bob", "press", "1234")), large},
		{"Mallory, whose address is not verified, asks", d.Token(mallory), small},
		{"Somebody asks without a token", "", small},
	} {
		status, body, err := d.ask(ctx, row.token, row.model)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s:\n  %d %s\n", row.who, status, body)
	}
	fmt.Fprintln(out, "\nWhat AWS saw:")
	for _, call := range d.STS.Calls() {
		if call.Resource != "" {
			fmt.Fprintf(out, "  %s, signed with %s\n    on %s: %s\n",
				call.Action, call.AccessKeyID, call.Resource, verdict(call))
			continue
		}
		fmt.Fprintf(out, "  %s gave %s to %s, source identity %s, tags %v\n", call.Action,
			call.AccessKeyID, call.SessionName, call.SourceIdentity, call.PrincipalTags)
	}
	return nil
}

// verdict tells whether a call passed the gate.
func verdict(call ststest.Call) string {
	if call.Status == 0 {
		return "allowed"
	}
	return call.Cause
}
