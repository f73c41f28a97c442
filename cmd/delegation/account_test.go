package main

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/ststest"
)

// iamAccount is IAM of one account, as far as set-ups use it. What changes in it changes in mirrors
// too.
type iamAccount struct {
	id, partition string
	providers     map[string]samlProvider // by name
	roles         map[string]iamRole      // by name
	mirrors       []mirror
	lost          []string // what was deleted, in order
	calls         []string // what was asked for, in order
}

// samlProvider is a SAML provider of an account.
type samlProvider struct {
	arn, uuid, metadata string
	tags                map[string]string
}

// iamRole is a role of an account, with one permission policy at most.
type iamRole struct {
	arn, path, trust, permissions string
	maxSession                    int
	tags                          map[string]string
}

// mirror is another IAM, which gets the same calls.
type mirror interface {
	PutSAMLProvider(name string, p samlProvider, isNew bool) error
	PutRole(name string, r iamRole, isNew bool) error
	Delete(resource string) error
}

func newAccount(id, partition string) *iamAccount {
	return &iamAccount{
		id: id, partition: partition,
		providers: map[string]samlProvider{}, roles: map[string]iamRole{},
	}
}

// plan is a copy without mirrors, in which changes can be tried.
func (a *iamAccount) plan() *iamAccount {
	return &iamAccount{
		id: a.id, partition: a.partition,
		providers: maps.Clone(a.providers), roles: maps.Clone(a.roles),
	}
}

func (a *iamAccount) arn(resource string) string {
	return "arn:" + a.partition + ":iam::" + a.id + ":" + resource
}

// errExists is IAM's EntityAlreadyExists.
func errExists(what, name string) error {
	return fmt.Errorf("EntityAlreadyExists: %s with name %s already exists", what, name)
}

// putSAMLProvider creates a SAML provider, or updates the one of this name.
func (a *iamAccount) putSAMLProvider(
	name string, p samlProvider, isNew bool,
) (samlProvider, error) {
	old, exists := a.providers[name]
	switch {
	case isNew && exists:
		return p, errExists("Provider", name)
	case !isNew && !exists:
		return p, fmt.Errorf("NoSuchEntity: %s", name)
	case isNew:
		p.arn = a.arn("saml-provider/" + name)
		sum := sha256.Sum256([]byte(p.arn))
		p.uuid = "SAMLSP" + base32.StdEncoding.EncodeToString(sum[:])[:16]
	default:
		p.arn = old.arn
		p.uuid = old.uuid
	}
	a.calls = append(a.calls, fmt.Sprintf("PutSAMLProvider %s new=%v", name, isNew))
	for _, m := range a.mirrors {
		if err := m.PutSAMLProvider(name, p, isNew); err != nil {
			return p, err
		}
	}
	a.providers[name] = p
	return p, nil
}

// putRole creates a role, or updates the one of this name.
func (a *iamAccount) putRole(name string, r iamRole, isNew bool) (iamRole, error) {
	old, exists := a.roles[name]
	switch {
	case isNew && exists:
		return r, errExists("Role", name)
	case !isNew && !exists:
		return r, fmt.Errorf("NoSuchEntity: %s", name)
	case !isNew && old.path != r.path:
		return r, fmt.Errorf("role %s: the path cannot change", name)
	}
	r.arn = a.arn("role" + r.path + name)
	a.calls = append(a.calls, fmt.Sprintf("PutRole %s new=%v", name, isNew))
	for _, m := range a.mirrors {
		if err := m.PutRole(name, r, isNew); err != nil {
			return r, err
		}
	}
	a.roles[name] = r
	return r, nil
}

// remove deletes a SAML provider or a role, by "saml-provider/" or "role/" and its name.
func (a *iamAccount) remove(resource, name string) error {
	if resource == "role/" {
		delete(a.roles, name)
	} else {
		delete(a.providers, name)
	}
	a.lost = append(a.lost, resource+name)
	for _, m := range a.mirrors {
		if err := m.Delete(resource + name); err != nil {
			return err
		}
	}
	return nil
}

// found is what an account has that has one SAML provider and one role.
func (a *iamAccount) found(t testing.TB) inAWS {
	t.Helper()
	if len(a.providers) != 1 || len(a.roles) != 1 {
		t.Fatalf("the set-up made %v and %v", a.providers, a.roles)
	}
	providerName := slices.Collect(maps.Keys(a.providers))[0]
	name := slices.Collect(maps.Keys(a.roles))[0]
	role := a.roles[name]
	return inAWS{
		provider: providerName, metadata: a.providers[providerName].metadata,
		path: role.path, role: name, maxSession: role.maxSession,
		trust: role.trust, permissions: role.permissions,
	}
}

// strictSTS is the mirror that is an STS, which refuses what STS refuses.
type strictSTS struct {
	server *ststest.Server
	arn    func(resource string) string
}

func (s strictSTS) PutSAMLProvider(_ string, p samlProvider, _ bool) error {
	return s.server.PutSAMLProvider(p.arn, []byte(p.metadata))
}

func (s strictSTS) PutRole(_ string, r iamRole, _ bool) error {
	return s.server.PutRole(ststest.Role{
		ARN:                r.arn,
		TrustPolicy:        r.trust,
		MaxSessionDuration: time.Duration(r.maxSession) * time.Second,
	})
}

// Delete leaves a role that trusts nobody. No test goes on after a SAML provider is deleted.
func (s strictSTS) Delete(resource string) error {
	if resource[:5] != "role/" {
		return fmt.Errorf("%s was deleted", resource)
	}
	return s.server.PutRole(ststest.Role{
		ARN: s.arn(resource),
		TrustPolicy: `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
			"Action": "sts:AssumeRoleWithSAML"}]}`,
	})
}
