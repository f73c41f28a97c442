package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/seed055b7978/delegation"
)

var errOtherSession = errors.New("the credentials are of another session")

// isolate keeps the AWS SDK from reading anything on this machine, and makes it call the STS at the
// URL.
func isolate(stsURL string) error {
	var problems []error
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_ENDPOINT_URL_STS":        stsURL,
	} {
		problems = append(problems, os.Setenv(name, value))
	}
	return errors.Join(problems...)
}

// config is that of a small service: one issuer, one target, and two rules in Go. Its client of STS
// is the library's own.
func (w *world) config(keysURL string) delegation.Config {
	return delegation.Config{
		Issuers: []delegation.Issuer{{
			URL:               issuerURL,
			JWKSURL:           keysURL,
			AllowLoopbackHTTP: true,
		}},
		IdentityProvider: delegation.IdentityProvider{
			EntityID: entityID,
			Keys:     []delegation.SigningKey{w.key},
		},
		Targets: delegation.Targets{clientID: w.target()},
		Rules: []delegation.RuleFunc{
			delegation.RequireVerifiedEmail(),
			delegation.AllowEmailDomains("example.com"),
		},
		MaxTokenSize: maxTokenSize,
	}
}

func (w *world) target() delegation.Target {
	return delegation.Target{AWS: delegation.AWS{
		Principal: principal,
		Role:      role,
		Region:    region,
	}}
}

// exchanger exchanges tokens, with a new Delegator after each renew.
type exchanger struct {
	config  delegation.Config
	seen    string // a token for the first exchange, which fetches keys and connects
	options []delegation.ExchangeOption

	delegator *delegation.Delegator
}

// renew makes a Delegator that has seen none of the tokens. It already has the issuer's keys, and a
// connection to STS.
func (e *exchanger) renew() error {
	d, err := delegation.New(context.Background(), e.config)
	if err != nil {
		return err
	}
	e.delegator = d
	return e.exchange(e.seen)
}

func (e *exchanger) exchange(token string) error {
	c, err := e.delegator.Exchange(context.Background(), token, clientID, e.options...)
	if err != nil {
		return err
	}
	if c.AssumedRoleARN != sessionARN {
		return errOtherSession
	}
	return nil
}

const formType = "application/x-www-form-urlencoded"

// barePost sends one request to STS, with as little code as net/http allows.
func barePost(client *http.Client, stsURL, response string) func() error {
	form := url.Values{
		"Action":          {"AssumeRoleWithSAML"},
		"Version":         {"2011-06-15"},
		"RoleArn":         {role},
		"PrincipalArn":    {principal},
		"DurationSeconds": {"3600"},
		"SAMLAssertion":   {response},
	}
	body := []byte(form.Encode())
	return func() error {
		answer, err := client.Post(stsURL, formType, bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), accessKey) {
			return fmt.Errorf("STS answered %.200q", text)
		}
		return nil
	}
}
