package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// The answer of the STS in all measurements. It is the same for every caller, so that the work of
// the STS does not count.
const (
	recipient  = "https://eu-central-1.signin.aws.amazon.com/saml"
	audience   = "https://signin.aws.amazon.com/saml"
	sessionARN = "arn:aws:sts::123456789012:assumed-role/photo-user/" + email
	roleID     = "AROAEXAMPLEEXAMPLE123:" + email
	accessKey  = "ASIAEXAMPLEEXAMPLE12"
	secretKey  = "ExampleSecretAccessKeyExampleSecretAcce0"
)

// sessionToken has the length of AWS's session tokens with a few tags.
var sessionToken = strings.Repeat("Token+of/a=thousand.characters.x", 1000/32+1)[:1000]

// expiration is the end of the credentials: far enough away for the longest run.
var expiration = time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)

// loopback serves the issuer's keys and an STS. It runs in the same process, so its work counts
// equally for all callers.
type loopback struct {
	url    string
	server *http.Server
}

func (w *world) listen() (*loopback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys.json", func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		response.Header().Set("Cache-Control", "max-age=86400")
		_, _ = response.Write(w.jwks)
	})
	mux.HandleFunc("POST /", answerSTS)
	l := &loopback{
		url:    "http://" + listener.Addr().String(),
		server: &http.Server{Handler: mux},
	}
	go func() { _ = l.server.Serve(listener) }() // until Close
	return l, nil
}

func (l *loopback) keysURL() string { return l.url + "/keys.json" }

func (l *loopback) close() error { return l.server.Close() }

// answerSTS reads the request and answers immediately.
func answerSTS(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the caller has disconnected
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = io.WriteString(w, stsAnswer)
}

var stsAnswer = fmt.Sprintf(`<AssumeRoleWithSAMLResponse
    xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithSAMLResult>
    <AssumedRoleUser>
      <AssumedRoleId>%s</AssumedRoleId>
      <Arn>%s</Arn>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>%s</AccessKeyId>
      <SecretAccessKey>%s</SecretAccessKey>
      <SessionToken>%s</SessionToken>
      <Expiration>%s</Expiration>
    </Credentials>
    <Subject>%s</Subject>
    <SubjectType>persistent</SubjectType>
    <Issuer>%s</Issuer>
    <Audience>%s</Audience>
    <NameQualifier>SbdGOnUkh1i4+EXAMPLExL/jEvs=</NameQualifier>
    <PackedPolicySize>6</PackedPolicySize>
  </AssumeRoleWithSAMLResult>
  <ResponseMetadata>
    <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>
  </ResponseMetadata>
</AssumeRoleWithSAMLResponse>
`, roleID, sessionARN, accessKey, secretKey, sessionToken, expiration.Format(time.RFC3339),
	subject, entityID, recipient)

// inProcess is an STS without a network. It gives the same answers as answerSTS.
type inProcess struct{}

func (inProcess) AssumeRoleWithSAML(
	context.Context, *sts.AssumeRoleWithSAMLInput, ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	return &sts.AssumeRoleWithSAMLOutput{
		AssumedRoleUser: &types.AssumedRoleUser{
			Arn:           aws.String(sessionARN),
			AssumedRoleId: aws.String(roleID),
		},
		Credentials: &types.Credentials{
			AccessKeyId:     aws.String(accessKey),
			SecretAccessKey: aws.String(secretKey),
			SessionToken:    aws.String(sessionToken),
			Expiration:      aws.Time(expiration),
		},
		Subject:     aws.String(subject),
		SubjectType: aws.String("persistent"),
		Issuer:      aws.String(entityID),
		Audience:    aws.String(recipient),
	}, nil
}
