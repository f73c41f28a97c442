package iampolicy

import "fmt"

// An Error says what a policy or a request has that cannot be evaluated, and where. It quotes
// parts of the policy, and of the request only names of condition keys.
type Error struct {
	// Policy is the policy in its [Set], such as "identity policy 1". It is empty for an error of
	// [Parse] or of a request.
	Policy string

	// Statement is the number of the statement in its policy, from 1. It is zero for what concerns
	// the whole policy or the request.
	Statement int

	// Element is the element of the statement, such as Condition. It is empty for what concerns
	// the whole statement.
	Element string

	// Problem says what is wrong, and what to write instead.
	Problem string
}

// Error returns where and what, such as "iampolicy: statement 2: the Action: the list is empty".
func (e *Error) Error() string { return "iampolicy: " + e.Where() + e.Problem }

// Where returns the place with a colon and a blank, such as "statement 2: the Action: ", and an
// empty text for the whole policy.
func (e *Error) Where() string {
	where := ""
	if e.Policy != "" {
		where = e.Policy + ": "
	}
	if e.Statement > 0 {
		where += fmt.Sprintf("statement %d: ", e.Statement)
	}
	if e.Element != "" {
		where += "the " + e.Element + ": "
	}
	return where
}

// problem is an Error without a place, which the callers of a parser add.
func problem(format string, arguments ...any) *Error {
	return &Error{Problem: fmt.Sprintf(format, arguments...)}
}
