//go:build interop

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// motoIAM is the IAM of moto, called by the AWS CLI.
type motoIAM struct{ endpoint string }

// call runs a command of the AWS CLI for IAM.
func (m motoIAM) call(answer any, words ...string) error {
	words = append([]string{"--endpoint-url", m.endpoint, "--output", "json", "iam"}, words...)
	command := exec.Command("aws", words...)
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("aws %q: %w: %s", words, err, said.String())
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(out, answer)
}

func (m motoIAM) PutSAMLProvider(name string, p samlProvider, isNew bool) error {
	if !isNew {
		return m.call(nil, "update-saml-provider", "--saml-provider-arn", p.arn,
			"--saml-metadata-document", p.metadata)
	}
	var made struct{ SAMLProviderArn string }
	err := m.call(&made, slices.Concat([]string{"create-saml-provider", "--name", name,
		"--saml-metadata-document", p.metadata, "--tags"}, tagWords(p.tags))...)
	if err == nil && made.SAMLProviderArn != p.arn {
		err = fmt.Errorf("moto made %s, not %s", made.SAMLProviderArn, p.arn)
	}
	return err
}

func (m motoIAM) PutRole(name string, r iamRole, isNew bool) error {
	duration := fmt.Sprint(r.maxSession)
	if isNew {
		var made struct{ Role struct{ Arn string } }
		err := m.call(&made, slices.Concat([]string{"create-role", "--role-name", name,
			"--path", r.path, "--assume-role-policy-document", r.trust,
			"--max-session-duration", duration, "--tags"}, tagWords(r.tags))...)
		if err == nil && made.Role.Arn != r.arn {
			err = fmt.Errorf("moto made %s, not %s", made.Role.Arn, r.arn)
		}
		if err != nil {
			return err
		}
	} else {
		if err := m.call(nil, "update-assume-role-policy", "--role-name", name,
			"--policy-document", r.trust); err != nil {
			return err
		}
		if err := m.call(nil, "update-role", "--role-name", name,
			"--max-session-duration", duration); err != nil {
			return err
		}
	}
	if r.permissions == "" {
		return nil
	}
	return m.call(nil, "put-role-policy", "--role-name", name, "--policy-name", "delegation",
		"--policy-document", r.permissions)
}

func (m motoIAM) Delete(resource string) error {
	return fmt.Errorf("%s would be deleted", resource)
}

func tagWords(tags map[string]string) (words []string) {
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		words = append(words, "Key="+name+",Value="+tags[name])
	}
	return words
}

// sameAsIn compares what moto's IAM has with what the account has.
func (m motoIAM) sameAsIn(t *testing.T, a *iamAccount) {
	t.Helper()
	var providers struct{ SAMLProviderList []struct{ Arn string } }
	var roles struct {
		Roles []struct{ RoleName, Arn string }
	}
	if err := m.call(&providers, "list-saml-providers"); err != nil {
		t.Fatal(err)
	}
	if err := m.call(&roles, "list-roles"); err != nil {
		t.Fatal(err)
	}
	if len(providers.SAMLProviderList) != len(a.providers) || len(roles.Roles) != len(a.roles) {
		t.Errorf("moto has %v and %v", providers, roles)
	}
	for _, p := range a.providers {
		var got struct{ SAMLMetadataDocument string }
		if err := m.call(&got, "get-saml-provider", "--saml-provider-arn", p.arn); err != nil {
			t.Error(err)
		}
		want := certificatesIn(p.metadata)
		if found := certificatesIn(got.SAMLMetadataDocument); !slices.Equal(found, want) {
			t.Errorf("moto has %d certificates, want %d", len(found), len(want))
		}
	}
	for name, r := range a.roles {
		var got struct {
			Role struct {
				Arn                      string
				MaxSessionDuration       int
				AssumeRolePolicyDocument any
				Tags                     []struct{ Key, Value string }
			}
		}
		if err := m.call(&got, "get-role", "--role-name", name); err != nil {
			t.Error(err)
		}
		trust := string(must(json.Marshal(got.Role.AssumeRolePolicyDocument)))
		if got.Role.Arn != r.arn || got.Role.MaxSessionDuration != r.maxSession ||
			!sameJSON(trust, r.trust) || len(got.Role.Tags) != len(r.tags) {
			t.Errorf("moto has %+v, want %+v", got, r)
		}
	}
}

// TestInterop_TwoTargets makes in moto's IAM what the templates and the Terraform files say. It has
// two targets, and a rollover in each of the three documented ways. IAM takes every document, and
// has at the end what it should.
func TestInterop_TwoTargets(t *testing.T) {
	needs(t, "aws", "awscli")
	startMoto(t)
	moto := motoIAM{os.Getenv("AWS_ENDPOINT_URL_KMS")}
	for _, way := range rolloverWays {
		t.Run(way.name, func(t *testing.T) {
			answer, err := http.Post(moto.endpoint+"/moto-api/reset", "", nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("moto is not reset: %v, %v", answer, err)
			}
			answer.Body.Close()
			o := newOperation(t, moto)
			o.rollOver(way)
			moto.sameAsIn(t, o.account)
		})
	}
}
