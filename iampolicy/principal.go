package iampolicy

import (
	"maps"
	"slices"
	"strings"
)

// everyone is the principal, action and resource that stands for all of them.
const everyone = "*"

// A Principal is who makes a request. Exactly one of ARN, Federated and Service is set; none of
// them is an anonymous caller.
type Principal struct {
	// ARN is the ARN of an IAM user or of a role session, such as
	// arn:aws:sts::123456789012:assumed-role/photo-user/jane. It is not that of a role: a role
	// makes its requests in sessions.
	ARN string

	// Role is the ARN of the session's role with its path, such as
	// arn:aws:iam::123456789012:role/app/photo-user. A session's own ARN leaves the path out.
	// Without it, no policy that names the role includes the session.
	Role string

	// Federated is a SAML or OpenID provider that signs somebody in: an ARN, or a name such as
	// accounts.google.com.
	Federated string

	// Service is a service of AWS, such as events.amazonaws.com.
	Service string
}

// check returns what is wrong with a principal of a request.
func (p Principal) check() *Error {
	set := 0
	for _, text := range []string{p.ARN, p.Federated, p.Service} {
		if text != "" {
			set++
		}
	}
	switch {
	case set > 1:
		return problem("the principal is more than one of ARN, Federated and Service")
	case p.ARN != "" && (!isARN(p.ARN) || accountOf(p.ARN) == ""):
		return problem("the principal's ARN is not that of a user or session")
	case kindOf(p.ARN) == "role":
		return problem("the principal's ARN is that of a role; want that of a session, " +
			"arn:{partition}:sts::{account}:assumed-role/{role}/{session}, and the role under Role")
	case p.Role != "" && (kindOf(p.Role) != "role" || kindOf(p.ARN) != "assumed-role"):
		return problem("the principal's Role is not the ARN of a role, or ARN is not a session's")
	case p.Role != "" && !p.isSessionOfRole():
		return problem("the principal is a session of another role than Role")
	}
	return nil
}

// isSessionOfRole reports whether ARN is a session of Role: same partition, account and name.
func (p Principal) isSessionOfRole() bool {
	role := strings.SplitN(p.Role, ":", colonsOfARN+1)
	session := strings.SplitN(p.ARN, ":", colonsOfARN+1)
	name := role[colonsOfARN][strings.LastIndexByte(role[colonsOfARN], '/')+1:]
	return role[1] == session[1] && accountOf(p.Role) == accountOf(p.ARN) &&
		strings.HasPrefix(session[colonsOfARN], "assumed-role/"+name+"/")
}

// accountOf returns the account of an ARN, or "".
func accountOf(arn string) string {
	if !isARN(arn) {
		return ""
	}
	return strings.SplitN(arn, ":", colonsOfARN+1)[colonsOfARN-1]
}

// partitionOf returns the partition of an ARN, such as aws-cn, or "".
func partitionOf(arn string) string {
	if !isARN(arn) {
		return ""
	}
	return strings.SplitN(arn, ":", colonsOfARN+1)[1]
}

// serviceOf returns the service of an ARN, such as kms, or "".
func serviceOf(arn string) string {
	if !isARN(arn) {
		return ""
	}
	return strings.SplitN(arn, ":", colonsOfARN+1)[2]
}

// kindOf returns the type of an ARN's resource, such as role, or "".
func kindOf(arn string) string {
	if !isARN(arn) {
		return ""
	}
	kind, _, _ := strings.Cut(strings.SplitN(arn, ":", colonsOfARN+1)[colonsOfARN], "/")
	return kind
}

// A naming is how directly a resource policy names the principal of a request.
type naming int

const (
	notNamed naming = iota
	byAccount
	byRole
	byEveryone
	bySelf
)

// principals is the Principal of a statement.
type principals struct {
	everyone  bool
	accounts  []account
	arns      []string
	federated []string
	services  []string
}

// An account is one that a statement names. It has no partition if the statement has the ID alone:
// that is the account in the policy's own partition, which the policy does not say. The same ID in
// two partitions is two accounts.
type account struct{ partition, id string }

// has reports whether a user or session is of the account.
func (a account) has(arn string) bool {
	return a.id == accountOf(arn) && (a.partition == "" || a.partition == partitionOf(arn))
}

// parsePrincipals reads a Principal (IAM User Guide, AWS JSON policy elements: Principal).
func parsePrincipals(v any) (*principals, *Error) {
	if v == everyone {
		return &principals{everyone: true}, nil
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return nil, problem(`want "*" or an object such as {"AWS": "123456789012"}`)
	}
	if _, ok := m["CanonicalUser"]; ok {
		return nil, problem("CanonicalUser is not supported; want the account's ID under AWS")
	}
	if err := onlyMembers(m, "AWS", "Federated", "Service"); err != nil {
		return nil, err
	}
	p := &principals{}
	for _, kind := range slices.Sorted(maps.Keys(m)) {
		names, err := stringsOf(m[kind])
		if err != nil {
			err.Problem = kind + ": " + err.Problem
			return nil, err
		}
		for _, name := range names {
			if err := p.add(kind, name); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func (p *principals) add(kind, name string) *Error {
	switch {
	case kind == "AWS" && name == everyone:
		p.everyone = true
	case strings.ContainsAny(name, "*?") || strings.Contains(name, "${"):
		return problem("%s %q: AWS accepts no wildcards or variables here, except \"*\" under AWS",
			kind, name)
	case kind == "Federated":
		p.federated = append(p.federated, name)
	case kind == "Service":
		p.services = append(p.services, name)
	case isAccountID(name):
		p.accounts = append(p.accounts, account{id: name})
	case isAccountID(accountOf(name)) && kindOf(name) == "root" && partitionOf(name) != "":
		p.accounts = append(p.accounts, account{partitionOf(name), accountOf(name)})
	case isAccountID(accountOf(name)) && slices.Contains(awsKinds, kindOf(name)):
		p.arns = append(p.arns, name)
	default:
		return problem("AWS %q: want an account's ID, or the ARN of an account's root, a user, "+
			"a role or a session", name)
	}
	return nil
}

// awsKinds are the kinds of ARN under AWS.
var awsKinds = []string{"user", "role", "assumed-role", "federated-user"}

func isAccountID(text string) bool {
	return len(text) == 12 && !strings.ContainsFunc(text, func(r rune) bool {
		return r < '0' || r > '9'
	})
}

// names reports how the statement names a principal. For a Deny every way is the same.
func (p *principals) names(who Principal) naming {
	switch {
	case who.ARN != "" && slices.Contains(p.arns, who.ARN),
		who.Federated != "" && slices.Contains(p.federated, who.Federated),
		who.Service != "" && slices.Contains(p.services, who.Service):
		return bySelf
	case p.everyone:
		return byEveryone
	case who.Role != "" && slices.Contains(p.arns, who.Role):
		return byRole
	case slices.ContainsFunc(p.accounts, func(a account) bool { return a.has(who.ARN) }):
		return byAccount
	}
	return notNamed
}
