package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// rules decide what AWS sees of a user. The session tags appear in the bill as cost allocation
// tags. CloudTrail has the source identity and the session name. A user who lacks a claim is
// refused.
func rules() []delegation.RuleFunc {
	return []delegation.RuleFunc{
		delegation.RequireVerifiedEmail(),
		delegation.Must(delegation.TagsFrom(map[string]delegation.ClaimText{
			"team":        {From: "team"},
			"cost-center": {From: "cost_center"},
		})),
		delegation.Must(delegation.NamesFrom(delegation.NameTemplates{
			SessionName:    "{{email}}",
			SourceIdentity: "{{email}}",
		})),
	}
}

// newBedrock returns one client for all users.
func newBedrock(d *delegation.Delegator, target string, config aws.Config) *bedrockruntime.Client {
	config.Credentials = d.FromContext(target)
	return bedrockruntime.NewFromConfig(config, func(o *bedrockruntime.Options) {
		// Without this, a key in AWS_BEARER_TOKEN_BEDROCK would be used for all users.
		o.AuthSchemePreference = []string{"sigv4"}
	})
}

// gateway answers prompts with a model of Amazon Bedrock. It calls Bedrock as the user who asks.
type gateway struct {
	handlers *delegationhttp.Handlers
	bedrock  *bedrockruntime.Client
}

// newGateway returns the handler of POST /converse. Each user may ask 60 times a minute.
func newGateway(
	d *delegation.Delegator, target string, bedrock *bedrockruntime.Client,
) (http.Handler, error) {
	handlers, err := delegationhttp.New(delegationhttp.Config{
		Exchanger: d,
		RateLimit: delegationhttp.RateLimit{Requests: 60},
	})
	if err != nil {
		return nil, err
	}
	g := &gateway{handlers: handlers, bedrock: bedrock}
	mux := http.NewServeMux()
	mux.Handle("POST /converse", handlers.Bearer(target, http.HandlerFunc(g.converse)))
	return mux, nil
}

// question is the body of a request.
type question struct {
	Model  string `json:"model"`
	Prompt string `json:"prompt"`
}

func (g *gateway) converse(w http.ResponseWriter, r *http.Request) {
	var q question
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&q)
	if err != nil || q.Model == "" || q.Prompt == "" {
		answer(w, http.StatusBadRequest, "error", "the body must be {\"model\", \"prompt\"}")
		return
	}
	out, err := g.bedrock.Converse(r.Context(), &bedrockruntime.ConverseInput{
		ModelId: &q.Model,
		Messages: []types.Message{{
			Role:    types.ConversationRoleUser,
			Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: q.Prompt}},
		}},
	})
	if g.handlers.Refuse(w, r, err) {
		return
	}
	if err != nil {
		log.Print(err) // AWS's message is for the operator
		answer(w, statusOf(err), "error", "the model cannot be asked")
		return
	}
	answer(w, http.StatusOK, "text", textOf(out))
}

// statusOf distinguishes what the user's role does not allow from what does not work.
func statusOf(err error) int {
	var denied *types.AccessDeniedException
	if errors.As(err, &denied) {
		return http.StatusForbidden
	}
	return http.StatusBadGateway
}

// textOf returns the text of a model's answer.
func textOf(out *bedrockruntime.ConverseOutput) (text string) {
	message, _ := out.Output.(*types.ConverseOutputMemberMessage)
	if message == nil {
		return ""
	}
	for _, block := range message.Value.Content {
		if part, ok := block.(*types.ContentBlockMemberText); ok {
			text += part.Value
		}
	}
	return text
}

func answer(w http.ResponseWriter, status int, name, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{name: text}) // the client may have disconnected
}
